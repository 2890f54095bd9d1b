using Microsoft.Extensions.Logging;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Worker.Jobs;

/// <summary>
/// Writes what an attempt has come to, for as long as the database is away: what a provider has made took longer, and cost more, than the wait.
/// Once the database is back, it says whether the attempt still counts. Thread-safe.
/// </summary>
internal sealed partial class PatientWrites(TimeProvider time, ILogger<PatientWrites> logger)
{
    // After the log's own tries, which have their pauses.
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <exception cref="OperationCanceledException">The token has fired while the database was away.</exception>
    /// <exception cref="Exception">What the write throws when it is refused.</exception>
    public async Task<T> WriteAsync<T>(Func<Task<T>> write, CancellationToken cancellationToken)
    {
        for (var isTold = false; ; isTold = true)
        {
            try
            {
                return await write();
            }
            catch (Exception e) when (DatabaseErrors.MayPass(e) && !cancellationToken.IsCancellationRequested)
            {
                if (!isTold)
                {
                    LogWaiting(e.Message);
                }

                await Task.Delay(Pause * (0.5 + (Random.Shared.NextDouble() / 2)), time, cancellationToken);
            }
        }
    }

    [LoggerMessage(3212, LogLevel.Warning, "The outcome waits for the database, and is kept until then: {Reason}")]
    private partial void LogWaiting(string reason);
}
