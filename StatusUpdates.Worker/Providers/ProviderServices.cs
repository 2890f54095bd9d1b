using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.Worker.Providers;

/// <summary>Gives a worker its providers.</summary>
public static class ProviderServices
{
    /// <summary>
    /// Makes the worker run the generations of a task, with this provider: one instance for the whole process, created with the services that its
    /// constructor asks for. If a task gets several providers, the last one counts.
    /// </summary>
    public static void AddProvider<TProvider>(this IHostApplicationBuilder builder, GenerationTask task)
        where TProvider : class, IGenerationProvider =>
        builder.Services.AddKeyedSingleton<IGenerationProvider, TProvider>(task);
}
