using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.Worker.Retention;

internal static class RetentionServices
{
    /// <summary>Adds the removal of what is old; needs the data side.</summary>
    public static void AddRetention(this IHostApplicationBuilder builder)
    {
        // Before the section is read, which has the last word.
        builder.Services.AddOptions<RetentionOptions>().Configure<IHostEnvironment>(
            (options, environment) => options.Enabled = !environment.IsDevelopment());
        builder.Services.AddSectionOptions<RetentionOptions, RetentionOptionsValidator>(RetentionOptions.SectionName);
        builder.Services.AddSingleton<RetentionService>();
        builder.Services.AddHostedService(services => services.GetRequiredService<RetentionService>());
    }
}
