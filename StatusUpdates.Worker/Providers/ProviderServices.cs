using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Messaging;

namespace StatusUpdates.Worker.Providers;

/// <summary>Gives a worker its providers.</summary>
public static class ProviderServices
{
    /// <summary>
    /// Makes the worker run the generations of a task, with this provider: one instance for the whole process, created with the services that its
    /// constructor asks for. If a task gets several providers, the last one counts.
    /// </summary>
    /// <param name="builder">The worker.</param>
    /// <param name="task">The task's name. Without a registered task of this name, results may have any media type.</param>
    /// <exception cref="ArgumentException">Not a name: see <see cref="GenerationNames"/>.</exception>
    public static void AddProvider<TProvider>(this IHostApplicationBuilder builder, string task)
        where TProvider : class, IGenerationProvider
    {
        if (!GenerationNames.IsValid(task))
        {
            throw new ArgumentException($"'{task}' is not the name of a task: it must match {GenerationNames.Pattern}.", nameof(task));
        }

        builder.Services.AddKeyedSingleton<IGenerationProvider, TProvider>(task);
    }
}
