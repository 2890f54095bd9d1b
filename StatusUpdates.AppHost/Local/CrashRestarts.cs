using System.Collections.Concurrent;
using System.Globalization;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Lifecycle;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StatusUpdates.NativeServers.Hosting;

namespace StatusUpdates.AppHost.Local;

/// <summary>
/// Restarts projects and native servers that exit unexpectedly, with increasing delays; Aspire leaves them stopped. A resource that was stopped
/// in the dashboard stays stopped, as does one that exits repeatedly soon after its start.
/// </summary>
internal sealed partial class CrashRestarts(
    ResourceCommandService commands,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    IHostApplicationLifetime lifetime,
    TimeProvider time) : IDistributedApplicationEventingSubscriber
{
    /// <summary>The number of early exits in a row after which a process is not restarted again.</summary>
    private const int MaxEarlyExits = 8;

    private const string Property = "Restarts";

    private static readonly string[] StoppingCommands =
        [KnownResourceCommands.StopCommand, KnownResourceCommands.RestartCommand, KnownResourceCommands.RebuildCommand];

    /// <summary>A process that ran for this long resets the count of early exits, and with it the delay.</summary>
    private static readonly TimeSpan StableAfter = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan InitialDelay = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, bool> _watched = new();
    private readonly ConcurrentDictionary<string, bool> _stoppedManually = new();
    private readonly ConcurrentDictionary<string, Count> _counts = new();

    public Task SubscribeAsync(IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken)
    {
        eventing.Subscribe<BeforeResourceStartedEvent>((started, _) =>
        {
            if (IsOurs(started.Resource))
            {
                TrackManualStops(started.Resource);
            }

            return Task.CompletedTask;
        });
        eventing.Subscribe<ResourceStoppedEvent>((stopped, cancellationToken) =>
        {
            if (IsOurs(stopped.Resource))
            {
                // Not awaited: the publisher of the event is what must restart the resource. The task never fails.
                _ = RestartAsync(stopped.ResourceEvent, lifetime.ApplicationStopping);
            }

            return Task.CompletedTask;
        });
        return Task.CompletedTask;
    }

    private static bool IsOurs(IResource resource) => resource is ProjectResource or NativeServerResource;

    // A requested stop can be recognized only by its command.
    private void TrackManualStops(IResource resource)
    {
        if (!_watched.TryAdd(resource.Name, true))
        {
            return;
        }

        foreach (var command in resource.Annotations.OfType<ResourceCommandAnnotation>().Where(command => StoppingCommands.Contains(command.Name)).ToList())
        {
            resource.Annotations.Remove(command);
            resource.Annotations.Add(new ResourceCommandAnnotation(
                command.Name,
                command.DisplayName,
                command.UpdateState,
                context =>
                {
                    CountOf(context.ResourceName).RecordStop();

                    // The event of this stop takes the mark off. A resource that has stopped already raises none, and a mark that stayed would hide a later crash.
                    if (!HasStopped(context.ResourceName))
                    {
                        _stoppedManually[context.ResourceName] = true;
                    }

                    return command.ExecuteCommand(context);
                },
                command.DisplayDescription,
                command.Arguments,
                command.ConfirmationMessage,
                command.IconName,
                command.IconVariant,
                command.IsHighlighted));
        }
    }

    private async Task RestartAsync(ResourceEvent ended, CancellationToken stopping)
    {
        var logger = loggers.GetLogger(ended.ResourceId);
        try
        {
            if (_stoppedManually.TryRemove(ended.ResourceId, out _))
            {
                return;
            }

            var count = CountOf(ended.ResourceId);
            var stops = count.Stops;
            var ranFor = ended.Snapshot.StartTimeStamp is { } startedAt ? time.GetUtcNow().UtcDateTime - startedAt.ToUniversalTime() : TimeSpan.Zero;
            count.Early = ranFor >= StableAfter ? 1 : count.Early + 1;
            count.All++;
            var exitCode = ended.Snapshot.ExitCode?.ToString(CultureInfo.InvariantCulture) ?? "unknown";
            if (count.Early >= MaxEarlyExits)
            {
                LogGaveUp(logger, exitCode, MaxEarlyExits);
                return;
            }

            var delay = DelayAfter(count.Early);
            LogRestarting(logger, exitCode, delay.TotalSeconds);
            await notifications.PublishUpdateAsync(ended.Resource, ended.ResourceId, snapshot => snapshot with
            {
                Properties = [.. snapshot.Properties.Where(property => property.Name != Property), new(Property, count.All)],
            });
            await Task.Delay(delay, time, stopping);

            // It may have been started or stopped manually in the meantime.
            while (HasStopped(ended.ResourceId) && count.Stops == stops)
            {
                var result = await commands.ExecuteCommandAsync(ended.ResourceId, KnownResourceCommands.StartCommand, stopping);
                if (result.Success)
                {
                    return;
                }

                LogRestartFailed(logger, result.Message ?? "no reason given");
                await Task.Delay(MaxDelay, time, stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The application is stopping.
        }
        catch (Exception e)
        {
            // The task is not awaited: the failure must show up in the resource's log.
            LogRestartFailed(logger, e.Message);
        }
    }

    private Count CountOf(string resourceId) => _counts.GetOrAdd(resourceId, _ => new Count());

    private bool HasStopped(string resourceId) =>
        notifications.TryGetCurrentState(resourceId, out var now) && KnownResourceStates.TerminalStates.Contains(now.Snapshot.State?.Text);

    private static TimeSpan DelayAfter(int earlyExits)
    {
        var withoutJitter = Math.Min(InitialDelay.TotalSeconds * Math.Pow(2, earlyExits - 1), MaxDelay.TotalSeconds);
        return TimeSpan.FromSeconds(withoutJitter * (0.75 + (Random.Shared.NextDouble() / 2)));
    }

    [LoggerMessage(1, LogLevel.Warning, "Stopped unexpectedly with exit code {ExitCode}. Restarting in {Seconds:0.0} s.")]
    private static partial void LogRestarting(ILogger logger, string exitCode, double seconds);

    [LoggerMessage(2, LogLevel.Error, "Stopped with exit code {ExitCode}, {Times} times in a row soon after its start. It is not restarted again; start it manually.")]
    private static partial void LogGaveUp(ILogger logger, string exitCode, int times);

    [LoggerMessage(3, LogLevel.Error, "The restart failed: {Reason}")]
    private static partial void LogRestartFailed(ILogger logger, string reason);

    private sealed class Count
    {
        private int _stops;

        /// <summary>Manual stops.</summary>
        public int Stops => Volatile.Read(ref _stops);

        /// <summary>Exits in a row, each soon after the start.</summary>
        public int Early { get; set; }

        public int All { get; set; }

        public void RecordStop() => Interlocked.Increment(ref _stops);
    }
}
