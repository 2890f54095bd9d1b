using System.Reflection;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.Hosting;

/// <summary>How every service runs, and how it ends.</summary>
public static partial class ServiceRun
{
    // Of its own, so that the console, which has the line from standard error, does not say everything twice.
    internal const string LogCategory = "StatusUpdates.Start";

    private const int Failure = 1;

    // Where there is no host yet, and so no configuration: the one variable that asks everything for details.
    private const string LevelVariable = "Logging__LogLevel__Default";

    /// <summary>
    /// Builds a host and runs it until it is told to stop. A start that fails says why on standard error, in one line without a stack, and in
    /// the log that goes out by OTLP; details are logged at Debug.
    /// </summary>
    /// <param name="build">Makes the host; what it throws is a start that fails.</param>
    /// <returns>The process's exit code: 0 after a stop that was asked for, 1 after a start that failed or a background service that did.</returns>
    public static async Task<int> RunAsync(Func<IHost> build)
    {
        IHost host;
        try
        {
            host = build();
        }
#pragma warning disable CA1031 // Whatever it is: the process ends, and says why.
        catch (Exception e)
#pragma warning restore CA1031
        {
            var detailed = Environment.GetEnvironmentVariable(LevelVariable) is { } level
                && (level.Equals(nameof(LogLevel.Debug), StringComparison.OrdinalIgnoreCase) || level.Equals(nameof(LogLevel.Trace), StringComparison.OrdinalIgnoreCase));
            await SayAsync(detailed ? e.ToString() : Explain(e));
            return Failure;
        }

        var lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
        var logger = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger(LogCategory);
        var hasFailed = false;
        await using var ending = lifetime.ApplicationStopping.Register(() => hasFailed = HasFailedService(host.Services));
        try
        {
            await host.StartAsync();
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // Told to stop while it started, which is no failure of the start.
            await DisposeAsync(host);
            return hasFailed ? Failure : 0;
        }
#pragma warning disable CA1031 // As above.
        catch (Exception e)
#pragma warning restore CA1031
        {
            var reason = Explain(e);
            LogFailed(logger, reason);
            await SayAsync(reason);
            await DisposeAsync(host);
            return Failure;
        }

        try
        {
            await host.WaitForShutdownAsync();
        }
        finally
        {
            await DisposeAsync(host);
        }

        return hasFailed ? Failure : 0;
    }

    /// <summary>An exception in one line: its message, and what its causes add.</summary>
    internal static string Explain(Exception exception)
    {
        var text = new StringBuilder();
        Append(text, exception);
        return text.ToString();
    }

    private static void Append(StringBuilder text, Exception exception)
    {
        if (exception is AggregateException aggregate)
        {
            foreach (var inner in aggregate.Flatten().InnerExceptions)
            {
                Append(text, inner);
            }

            return;
        }

        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            var message = OneLine(cause is OptionsValidationException invalid ? string.Join(' ', invalid.Failures) : cause.Message);
            if (!text.ToString().Contains(message, StringComparison.OrdinalIgnoreCase))
            {
                text.Append(text.Length > 0 ? " " : "").Append(message);
            }
        }
    }

    private static string OneLine(string message) =>
        string.Join(' ', message.Split((char[])['\r', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    private static Task SayAsync(string reason) =>
        Console.Error.WriteLineAsync($"{Assembly.GetEntryAssembly()?.GetName().Name} did not start: {reason}");

    private static bool HasFailedService(IServiceProvider services) =>
        services.GetServices<IHostedService>().OfType<BackgroundService>().Any(service => service.ExecuteTask is { IsFaulted: true });

    private static async Task DisposeAsync(IHost host)
    {
        if (host is IAsyncDisposable disposable)
        {
            await disposable.DisposeAsync();
        }
        else
        {
            host.Dispose();
        }
    }

    [LoggerMessage(6101, LogLevel.Critical, "The service did not start: {Reason}")]
    private static partial void LogFailed(ILogger logger, string reason);
}
