using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace StatusUpdates.ServiceDefaults.Hosting;

/// <summary>
/// When a start fails, the host and Kestrel log the exception with its stack trace before they throw it. This lowers such entries to Debug, because
/// <see cref="ServiceRun"/> reports the reason. Once the host has started, their log levels are unchanged.
/// </summary>
internal sealed class StartLogging(LoggerFactory inner, IServiceProvider services) : ILoggerFactory
{
    private const string Host = "Microsoft.Extensions.Hosting.Internal.Host";
    private const string Server = "Microsoft.AspNetCore.Server.Kestrel";

    public static void Add(IHostApplicationBuilder builder)
    {
        builder.Services.AddLogging();
        builder.Services.TryAddSingleton<LoggerFactory>();
        builder.Services.Replace(ServiceDescriptor.Singleton<ILoggerFactory>(
            services => new StartLogging(services.GetRequiredService<LoggerFactory>(), services)));
        builder.Logging.AddFilter<ConsoleLoggerProvider>(ServiceRun.LogCategory, LogLevel.None);
    }

    public ILogger CreateLogger(string categoryName) => categoryName is Host or Server
        ? new Logger(inner.CreateLogger(categoryName), services)
        : inner.CreateLogger(categoryName);

    public void AddProvider(ILoggerProvider provider) => inner.AddProvider(provider);

    public void Dispose()
    {
        // The container created the inner factory and disposes of it.
    }

    private sealed class Logger(ILogger inner, IServiceProvider services) : ILogger
    {
        // Resolved on first use: the host's lifetime itself needs a logger.
        private IHostApplicationLifetime? _lifetime;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => inner.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            inner.Log(
                exception is not null && logLevel >= LogLevel.Error && IsStarting() ? LogLevel.Debug : logLevel,
                eventId,
                state,
                exception,
                formatter);

        private bool IsStarting()
        {
            var lifetime = _lifetime ??= services.GetRequiredService<IHostApplicationLifetime>();
            return !lifetime.ApplicationStarted.IsCancellationRequested && !lifetime.ApplicationStopping.IsCancellationRequested;
        }
    }
}
