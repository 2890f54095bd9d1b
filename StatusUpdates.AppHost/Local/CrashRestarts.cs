using System.Collections.Concurrent;
using System.Globalization;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StatusUpdates.NativeServers.Hosting;

namespace StatusUpdates.AppHost.Local;

/// <summary>
/// Starts projects and native servers again that end unasked, with a growing pause between. Aspire leaves them stopped. What somebody stops
/// in the dashboard stays stopped, and so does what ends again and again without ever having run for long.
/// </summary>
internal sealed partial class CrashRestarts(
    ResourceCommandService commands, ResourceNotificationService notifications, ResourceLoggerService loggers, TimeProvider time)
    : IHostedService, IDisposable
{
    /// <summary>How often a process may end early, one time after the other, before it is left alone.</summary>
    private const int MostEarlyEnds = 8;

    private const string Property = "Restarts";

    private static readonly string[] StoppingCommands =
        [KnownResourceCommands.StopCommand, KnownResourceCommands.RestartCommand, KnownResourceCommands.RebuildCommand];

    /// <summary>A process that ran for so long has earned a fresh start of the pauses.</summary>
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<string, bool> _watched = new();
    private readonly ConcurrentDictionary<string, bool> _stoppedByHand = new();
    private readonly ConcurrentDictionary<string, Count> _counts = new();

    /// <summary>The latest restart of each instance.</summary>
    private readonly ConcurrentDictionary<string, Task> _restarts = new();

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await Task.WhenAll(_restarts.Values).WaitAsync(cancellationToken);
    }

    public void Dispose() => _stopping.Dispose();

    public void Subscribe(IDistributedApplicationEventing eventing)
    {
        eventing.Subscribe<BeforeResourceStartedEvent>((started, _) =>
        {
            if (IsOurs(started.Resource))
            {
                RememberStops(started.Resource);
            }

            return Task.CompletedTask;
        });
        eventing.Subscribe<ResourceStoppedEvent>((stopped, _) =>
        {
            if (IsOurs(stopped.Resource))
            {
                // Runs on its own: whoever raises the event is what has to start the resource again. It never fails.
                _restarts[stopped.ResourceEvent.ResourceId] = RestartAsync(stopped.ResourceEvent);
            }

            return Task.CompletedTask;
        });
    }

    private static bool IsOurs(IResource resource) => resource is ProjectResource or NativeServerResource;

    // The command is what tells a stop that was asked for from one that was not.
    private void RememberStops(IResource resource)
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
                    _stoppedByHand[context.ResourceName] = true;
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

    private async Task RestartAsync(ResourceEvent ended)
    {
        var logger = loggers.GetLogger(ended.ResourceId);
        try
        {
            if (_stoppedByHand.TryRemove(ended.ResourceId, out _))
            {
                return;
            }

            var count = _counts.GetOrAdd(ended.ResourceId, _ => new Count());
            var ranFor = ended.Snapshot.StartTimeStamp is { } began ? time.GetUtcNow().UtcDateTime - began.ToUniversalTime() : TimeSpan.Zero;
            count.Early = ranFor >= Long ? 1 : count.Early + 1;
            count.All++;
            var exitCode = ended.Snapshot.ExitCode?.ToString(CultureInfo.InvariantCulture) ?? "unknown";
            if (count.Early >= MostEarlyEnds)
            {
                LeftAlone(logger, exitCode, MostEarlyEnds);
                return;
            }

            var pause = PauseAfter(count.Early);
            StartingAgain(logger, exitCode, pause.TotalSeconds);
            await notifications.PublishUpdateAsync(ended.Resource, ended.ResourceId, snapshot => snapshot with
            {
                Properties = [.. snapshot.Properties.Where(property => property.Name != Property), new(Property, count.All)],
            });
            await Task.Delay(pause, time, _stopping.Token);

            while (IsEnded(ended.ResourceId))
            {
                var result = await commands.ExecuteCommandAsync(ended.ResourceId, KnownResourceCommands.StartCommand, _stopping.Token);
                if (result.Success)
                {
                    return;
                }

                CannotStart(logger, result.Message ?? "no reason given");
                await Task.Delay(LongestPause, time, _stopping.Token);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The application stops.
        }
#pragma warning disable CA1031 // Nobody awaits this; what went wrong must be seen where the resource's owner looks.
        catch (Exception e)
#pragma warning restore CA1031
        {
            CannotStart(logger, e.Message);
        }
    }

    // Somebody may have been quicker.
    private bool IsEnded(string resourceId) =>
        notifications.TryGetCurrentState(resourceId, out var now) && KnownResourceStates.TerminalStates.Contains(now.Snapshot.State?.Text)
        && !_stoppedByHand.ContainsKey(resourceId);

    private static TimeSpan PauseAfter(int earlyEnds)
    {
        var plain = Math.Min(FirstPause.TotalSeconds * Math.Pow(2, earlyEnds - 1), LongestPause.TotalSeconds);
        return TimeSpan.FromSeconds(plain * (0.75 + (Random.Shared.NextDouble() / 2)));
    }

    [LoggerMessage(1, LogLevel.Warning, "Ended unasked with exit code {ExitCode}. Starting again in {Seconds:0.0} s.")]
    private static partial void StartingAgain(ILogger logger, string exitCode, double seconds);

    [LoggerMessage(2, LogLevel.Error, "Ended with exit code {ExitCode}, {Times} times in a row soon after its start. It is left alone now; start it by hand.")]
    private static partial void LeftAlone(ILogger logger, string exitCode, int times);

    [LoggerMessage(3, LogLevel.Error, "It could not be started again: {Reason}")]
    private static partial void CannotStart(ILogger logger, string reason);

    private sealed class Count
    {
        /// <summary>Ends in a row, each soon after its start.</summary>
        public int Early { get; set; }

        public int All { get; set; }
    }
}
