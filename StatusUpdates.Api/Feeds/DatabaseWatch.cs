using System.Data.Common;
using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.Feeds;

/// <summary>
/// Logs once that the database is away, and once that it is back, however many reads fail in between. What fails for another reason is a fault of ours and
/// logged each time. Thread-safe.
/// </summary>
internal sealed partial class DatabaseWatch(ILogger<DatabaseWatch> logger)
{
    private int _away;

    /// <summary>Whether a read failed in the database. It is retried for every reason, and its connections stay open.</summary>
    public static bool IsRetried(Exception exception) => exception is DbException or TimeoutException;

    public void Failed(Exception exception)
    {
        // Canceled: it took too long.
        if (exception is not OperationCanceledException && !DatabaseFailures.IsUnavailable(exception))
        {
            LogUnexpected(exception);
        }
        else if (Interlocked.Exchange(ref _away, 1) == 0)
        {
            LogAway(exception.Message);
        }
    }

    public void Succeeded()
    {
        if (Volatile.Read(ref _away) != 0 && Interlocked.Exchange(ref _away, 0) != 0)
        {
            LogBack();
        }
    }

    [LoggerMessage(4001, LogLevel.Warning, "The log cannot be read; connections stay open and continue when it can be read again: {Reason}")]
    private partial void LogAway(string reason);

    [LoggerMessage(4002, LogLevel.Information, "The log can be read again")]
    private partial void LogBack();

    [LoggerMessage(4003, LogLevel.Error, "A feed could not read its log")]
    private partial void LogUnexpected(Exception exception);
}
