using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Data.Results;
using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

internal static class ProcessorServices
{
    /// <summary>Adds the processor of each task that has a provider; call it after the providers are added.</summary>
    public static void AddProcessors(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;

        builder.AddResultAddresses();
        services.AddSingleton<ResultUploader>();
        services.AddProcessor<SoraProcessor>(GenerationTask.Sora);
        services.AddProcessor<ProductCardProcessor>(GenerationTask.ProductCard);
        services.AddProcessor<ChatProcessingProcessor>(GenerationTask.ChatProcessing);
        services.AddProcessor<ImageGenerationProcessor>(GenerationTask.ImageGeneration);
        services.AddSingleton<ProcessorRegistry>();
    }

    private static void AddProcessor<TProcessor>(this IServiceCollection services, GenerationTask task)
        where TProcessor : BaseProcessor
    {
        if (services.Any(service => service.ServiceType == typeof(IGenerationProvider) && task.Equals(service.ServiceKey)))
        {
            services.AddSingleton<BaseProcessor, TProcessor>();
        }
    }
}
