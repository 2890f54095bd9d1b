using System.Reflection;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace StatusUpdates.ServiceDefaults.Hosting;

/// <summary>Runs a service, from its start to its exit code.</summary>
public static partial class ServiceRun
{
    // A separate category, which the console log leaves out: the console already shows the line on standard error.
    internal const string LogCategory = "StatusUpdates.Start";

    private const int Failure = 1;

    // Read directly when the host could not be built, and so there is no configuration: the variable that enables details everywhere.
    private const string LevelVariable = "Logging__LogLevel__Default";

    /// <summary>
    /// Builds a host and runs it until it is asked to stop. If the start fails, the reason is written to standard error, in one line without a stack
    /// trace, and to the log that is exported by OTLP; details are logged at Debug.
    /// </summary>
    /// <param name="build">Builds the host; an exception counts as a failed start.</param>
    /// <returns>The process's exit code: 0 after a requested stop, 1 after a failed start or a failed background service.</returns>
    public static async Task<int> RunAsync(Func<IHost> build)
    {
        IHost host;
        try
        {
            host = build();
        }
        catch (Exception e)
        {
            // Any exception: the process ends and reports the reason.
            var detailed = Environment.GetEnvironmentVariable(LevelVariable) is { } level
                && (level.Equals(nameof(LogLevel.Debug), StringComparison.OrdinalIgnoreCase) || level.Equals(nameof(LogLevel.Trace), StringComparison.OrdinalIgnoreCase));
            await WriteErrorAsync(detailed ? e.ToString() : Explain(e));
            return Failure;
        }

        var lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
        var logger = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger(LogCategory);
        var hasFailed = false;

        // After a failed start the services may be disposed of already.
        await using var ending = lifetime.ApplicationStopping.Register(() => hasFailed = hasFailed || HasFailedService(host.Services));
        try
        {
            await host.StartAsync();
            await host.WaitForShutdownAsync();
        }
        catch (OperationCanceledException) when (IsStarting() && lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // Asked to stop during the start: not a failed start.
        }
        catch (Exception e) when (IsStarting())
        {
            hasFailed = true;
            var reason = Explain(e);
            LogFailed(logger, reason);
            await WriteErrorAsync(reason);
        }
        finally
        {
            await ((IAsyncDisposable)host).DisposeAsync();
        }

        return hasFailed ? Failure : 0;

        bool IsStarting() => !lifetime.ApplicationStarted.IsCancellationRequested;
    }

    /// <summary>An exception in one line: its message, and those of its causes that add something.</summary>
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

    private static Task WriteErrorAsync(string reason) =>
        Console.Error.WriteLineAsync($"{Assembly.GetEntryAssembly()?.GetName().Name} did not start: {reason}");

    private static bool HasFailedService(IServiceProvider services) =>
        services.GetServices<IHostedService>().OfType<BackgroundService>().Any(service => service.ExecuteTask is { IsFaulted: true });

    [LoggerMessage(6101, LogLevel.Critical, "The service did not start: {Reason}")]
    private static partial void LogFailed(ILogger logger, string reason);
}
