using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.ResultStore.Contents;

namespace StatusUpdates.ResultStore;

/// <summary>Registers the results that the system stores itself.</summary>
public static class ResultStoreServices
{
    /// <summary>
    /// Adds <see cref="GenerationResultStore"/>, with the folder or the bucket of large results, which is checked at start; needs the services of
    /// StatusUpdates.Data.
    /// </summary>
    /// <param name="builder">The host.</param>
    /// <param name="writes">Whether this service stores results: then it must be able to write there, and know <c>Results:PublicBaseUrl</c>.</param>
    public static void AddResultStore(this IHostApplicationBuilder builder, bool writes = false)
    {
        var isDevelopment = builder.Environment.IsDevelopment();
        builder.AddResultsOptions(writes);
        builder.Services.AddSingleton<IContentStore>(services =>
        {
            var options = services.GetRequiredService<IOptions<ResultsOptions>>().Value;
            return options.UsesS3
                ? new S3ContentStore(options.S3, services.GetRequiredService<ILogger<S3ContentStore>>())
                : new FolderContentStore(options.Folder!, mayCreate: isDevelopment, writes);
        });
        builder.Services.AddSingleton<GenerationResultStore>();
        builder.Services.AddSingleton<ContentRemovals>();
        builder.Services.AddHostedService<ContentStoreCheck>();
    }

    private static void AddResultsOptions(this IHostApplicationBuilder builder, bool needsAddress)
    {
        var isDevelopment = builder.Environment.IsDevelopment();

        // Before the configuration section, which overrides it.
        builder.Services.Configure<ResultsOptions>(options => options.PublicBaseUrl = isDevelopment ? ResultsOptions.DevelopmentBaseUrl : "");
        builder.Services.AddSectionOptions<ResultsOptions, ResultsOptionsValidator>(ResultsOptions.SectionName)
            .Validate(options => !needsAddress || options.PublicBaseUrl.Length > 0, ResultsOptions.BaseUrlError);

        // After it: a bucket replaces the default.
        builder.Services.PostConfigure<ResultsOptions>(options =>
        {
            if (isDevelopment && string.IsNullOrEmpty(options.Folder) && options.S3.IsEmpty)
            {
                options.Folder = FolderContentStore.OfCurrentUser();
            }
        });
    }

    /// <summary>Checks the place of large results before the service takes requests or jobs.</summary>
    private sealed class ContentStoreCheck(IContentStore contents) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => contents.CheckAsync(cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
