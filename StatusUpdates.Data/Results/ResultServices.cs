using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.Data.Results;

/// <summary>Registers what a program needs that stores results.</summary>
public static class ResultServices
{
    /// <summary>Adds <see cref="ResultsOptions"/>, with its default in Development.</summary>
    public static void AddResultAddresses(this IHostApplicationBuilder builder)
    {
        // Before the configuration section, which overrides it.
        builder.Services.AddOptions<ResultsOptions>().Configure<IHostEnvironment>(
            (options, environment) => options.PublicBaseUrl = environment.IsDevelopment() ? ResultsOptions.DevelopmentBaseUrl : "");
        builder.Services.AddSectionOptions<ResultsOptions, ResultsOptionsValidator>(ResultsOptions.SectionName);
    }
}
