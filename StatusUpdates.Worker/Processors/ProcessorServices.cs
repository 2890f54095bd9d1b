using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Providers;
using StatusUpdates.Worker.Providers.BuiltIn;

namespace StatusUpdates.Worker.Processors;

internal static class ProcessorServices
{
    /// <summary>Adds the four processors, and the built-in provider of each task that has no other one registered.</summary>
    public static void AddProcessors(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;

        // Before the section is read, which has the last word.
        services.AddOptions<ResultsOptions>().Configure<IHostEnvironment>(
            (options, environment) => options.PublicBaseUrl = environment.IsDevelopment() ? ResultsOptions.DevelopmentBaseUrl : "");
        services.AddSectionOptions<ResultsOptions, ResultsOptionsValidator>(ResultsOptions.SectionName);
        services.AddSectionOptions<BuiltInProvidersOptions, BuiltInProvidersOptionsValidator>(BuiltInProvidersOptions.SectionName);

        services.TryAddKeyedSingleton<IGenerationProvider, SoraProvider>(GenerationTask.Sora);
        services.TryAddKeyedSingleton<IGenerationProvider, ProductCardProvider>(GenerationTask.ProductCard);
        services.TryAddKeyedSingleton<IGenerationProvider, ChatProcessingProvider>(GenerationTask.ChatProcessing);
        services.TryAddKeyedSingleton<IGenerationProvider, ImageGenerationProvider>(GenerationTask.ImageGeneration);

        services.AddSingleton<ResultUploader>();
        services.AddSingleton<BaseProcessor, SoraProcessor>();
        services.AddSingleton<BaseProcessor, ProductCardProcessor>();
        services.AddSingleton<BaseProcessor, ChatProcessingProcessor>();
        services.AddSingleton<BaseProcessor, ImageGenerationProcessor>();
        services.AddSingleton<ProcessorRegistry>();
    }
}
