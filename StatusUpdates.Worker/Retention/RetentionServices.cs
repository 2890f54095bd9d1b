using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.Worker.Retention;

internal static class RetentionServices
{
    /// <summary>Adds the removal of old data; needs the services of StatusUpdates.Data.</summary>
    public static void AddRetention(this IHostApplicationBuilder builder)
    {
        // Before the configuration section, which overrides it.
        builder.Services.AddOptions<RetentionOptions>().Configure<IHostEnvironment>(
            (options, environment) => options.Enabled = !environment.IsDevelopment());
        builder.Services.AddSectionOptions<RetentionOptions, RetentionOptionsValidator>(RetentionOptions.SectionName);
        builder.Services.AddSingleton<RetentionService>();
        builder.Services.AddHostedService(services => services.GetRequiredService<RetentionService>());
    }
}
