using System.Runtime.InteropServices;
using Microsoft.Extensions.Configuration;
using StatusUpdates.LocalHosting.Engine;
using StatusUpdates.LocalHosting.Native;

namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>An app model, run as native processes.</summary>
public sealed class DistributedApplication : IAsyncDisposable
{
    /// <summary>Wrappers such as timeout(1) signal both the process and its group: what comes so soon is the same wish.</summary>
    private static readonly TimeSpan EchoOfSignal = TimeSpan.FromSeconds(0.5);

    private readonly AppHostInterception? _interception;

    internal DistributedApplication(LocalEngine engine, AppHostInterception? interception)
    {
        Engine = engine;
        _interception = interception;
        ResourceNotifications = new ResourceNotificationService(engine.Board);
        ResourceCommands = new ResourceCommandService(engine);
    }

    public ResourceNotificationService ResourceNotifications { get; }

    public ResourceCommandService ResourceCommands { get; }

    internal LocalEngine Engine { get; }

    public static IDistributedApplicationBuilder CreateBuilder(string[] args)
    {
        if (Array.Find(args, arg => !IsSetting(arg)) is { } other)
        {
            throw new DistributedApplicationException(
                $"The local engine takes no arguments but settings (--section:key=value), hence not {other}. Publishing needs the Aspire engine: set Aspire=true.");
        }

        // A test's model is what its arguments say, whatever stands in the environment of who runs it.
        var interception = AppHostInterception.Current;
        var configuration = new ConfigurationManager();
        if (interception is null)
        {
            configuration.AddEnvironmentVariables();
        }

        configuration.AddCommandLine(args);
        return new DistributedApplicationBuilder(interception?.Settings ?? EngineSettings.FromEnvironment(), interception, configuration);
    }

    /// <summary>Starts everything, in the order that the model asks for. Completes when all starts are under way.</summary>
    /// <exception cref="DistributedApplicationException">Something stands in the way of all: a taken port, another run of the same folder.</exception>
    public Task StartAsync(CancellationToken cancellationToken = default) => Engine.StartAsync(cancellationToken);

    /// <summary>Stops everything in reverse order, in bounded time.</summary>
    public Task StopAsync(CancellationToken cancellationToken = default) => Engine.StopAsync(cancellationToken);

    /// <summary>
    /// Runs until Ctrl+C, SIGTERM or SIGHUP, then stops everything in reverse order; a second signal stops everything at once.
    /// An application that cannot start says why and sets the exit code to 1.
    /// </summary>
    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        if (_interception is not null)
        {
            // A test runs the application; the entry point only has to stay until it is done.
            await _interception.Released;
            return;
        }

        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        long firstSignal = 0;
        void OnSignal(PosixSignalContext context)
        {
            context.Cancel = true;
            var before = Interlocked.CompareExchange(ref firstSignal, TimeProvider.System.GetTimestamp(), 0);
            if (before == 0)
            {
                stopping.Cancel();
            }
            else if (TimeProvider.System.GetElapsedTime(before) > EchoOfSignal)
            {
                Engine.KillAll();
            }
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal);
        using var quit = PosixSignalRegistration.Create(PosixSignal.SIGQUIT, OnSignal);
        try
        {
            await Engine.StartAsync(stopping.Token);
            await Task.Delay(Timeout.InfiniteTimeSpan, stopping.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Asked to stop, during the start or after it.
        }
        catch (Exception reason) when (reason is DistributedApplicationException or PostgresNotFoundException or PlatformNotSupportedException)
        {
            await Console.Error.WriteLineAsync(reason.Message);
            Environment.ExitCode = 1;
        }
        finally
        {
            await DisposeAsync();
        }
    }

    public ValueTask DisposeAsync() => Engine.DisposeAsync();

    // With a colon before the equals sign: Aspire's own arguments, such as --publisher, have none.
    private static bool IsSetting(string arg) =>
        arg.StartsWith("--", StringComparison.Ordinal)
        && arg.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon
        && colon < arg.IndexOf('=', StringComparison.Ordinal);
}
