using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Worker.Attempts;

/// <summary>
/// Writes an attempt's statuses and results. What ends the attempt is retried while the database is unavailable: what a provider has made took longer, and
/// cost more, than the wait. Once the database is available again, the write shows whether the attempt still counts. Thread-safe.
/// </summary>
internal sealed partial class AttemptWriter(StatusLog log, TimeProvider time, ILogger<AttemptWriter> logger)
{
    // In addition to the log's own retries, which have pauses of their own.
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Appends an attempt's change (<see cref="RunningJob.ChangeTo"/>) to the log, which also announces it on Redis. Returns once it is durable. Only an
    /// outcome waits for an unavailable database.
    /// </summary>
    /// <returns>The update in the log: <c>canceled</c> instead of <c>pending</c> if the owner had asked to cancel.</returns>
    /// <exception cref="OperationCanceledException">Refused: another attempt has begun, or the generation has ended. This attempt is stopped.</exception>
    /// <exception cref="NpgsqlException">The database did not accept the progress in time, or refused the content.</exception>
    public async Task<StatusUpdate> UpdateStatusAsync(RunningJob job, StatusChange change, CancellationToken cancellationToken = default)
    {
        var result = change.Status == GenerationStatus.Processing
            ? await log.AppendAsync(change, cancellationToken)
            : await WriteAsync(() => log.AppendAsync(change, cancellationToken), cancellationToken);
        if (result.Update is not { } update)
        {
            job.StopWriting(StopReason.LeaseLost);
            throw new OperationCanceledException($"The update was refused: {result.Refusal}.");
        }

        return update;
    }

    /// <summary>Writes, and retries while the database is unavailable.</summary>
    /// <exception cref="OperationCanceledException">The token fired while the database was unavailable.</exception>
    /// <exception cref="Exception">What the write throws if it is refused.</exception>
    public async Task<T> WriteAsync<T>(Func<Task<T>> write, CancellationToken cancellationToken)
    {
        for (var hasLogged = false; ; hasLogged = true)
        {
            try
            {
                return await write();
            }
            catch (Exception e) when (DatabaseErrors.IsTransient(e) && !cancellationToken.IsCancellationRequested)
            {
                if (!hasLogged)
                {
                    LogWaiting(e.Message);
                }

                await Task.Delay(Backoff.Spread(Pause), time, cancellationToken);
            }
        }
    }

    [LoggerMessage(3212, LogLevel.Warning, "The database is unavailable; the outcome is kept and written later: {Reason}")]
    private partial void LogWaiting(string reason);
}
