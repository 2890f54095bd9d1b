using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Data.Types;
using StatusUpdates.Egress;
using StatusUpdates.ResultStore;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

internal static class ProcessorServices
{
    /// <summary>Adds the registry of types, and a processor for each task that has a provider; call it after the providers are added.</summary>
    public static void AddProcessors(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;

        builder.AddResultStore(writes: true);
        builder.AddGenerationTypes();
        builder.AddEgress();
        services.AddSingleton<ResultDownloads>();
        services.AddSingleton<ResultUploader>();
        var provided = new ProvidedTasks(
            [.. services.Where(s => s.ServiceType == typeof(IGenerationProvider)).Select(s => s.ServiceKey).OfType<string>().Distinct(StringComparer.Ordinal)]);
        services.AddSingleton(provided);
        foreach (var task in provided.Names)
        {
            services.AddSingleton(s => ActivatorUtilities.CreateInstance<BaseProcessor>(s, task, s.GetRequiredKeyedService<IGenerationProvider>(task)));
        }

        services.AddSingleton<ProcessorRegistry>();
    }
}
