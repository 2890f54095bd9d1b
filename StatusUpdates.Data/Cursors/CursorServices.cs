using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.Data.Cursors;

/// <summary>Registers services that deliver logs by durable cursors.</summary>
public static class CursorServices
{
    /// <summary>Adds a service and the runner of its cursors; requires the database and messaging services.</summary>
    /// <typeparam name="TConsumer">The service; a singleton.</typeparam>
    public static void AddDurableCursors<TConsumer>(this IHostApplicationBuilder builder)
        where TConsumer : class, ICursorConsumer
    {
        builder.Services.AddSingleton<TConsumer>();
        builder.Services.AddSingleton<IHostedService>(
            services => ActivatorUtilities.CreateInstance<CursorRunner>(services, services.GetRequiredService<TConsumer>()));
    }
}
