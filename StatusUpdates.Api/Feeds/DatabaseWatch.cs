using System.Data.Common;

namespace StatusUpdates.Api.Feeds;

/// <summary>Says once that the database is away, and once that it is back, however many reads fail in between. Thread-safe.</summary>
internal sealed partial class DatabaseWatch(ILogger<DatabaseWatch> logger)
{
    private int _away;

    /// <summary>Whether a read failed because the database could not serve it now; such a read is tried again.</summary>
    public static bool IsAway(Exception exception) => exception is DbException or TimeoutException;

    public void Failed(Exception exception)
    {
        if (Interlocked.Exchange(ref _away, 1) == 0)
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

    /// <summary>A read failed for another reason: a fault of ours.</summary>
    public void Broke(Exception exception) => LogBroken(exception);

    [LoggerMessage(4001, LogLevel.Warning, "The log cannot be read; connections stay and go on when it can: {Reason}")]
    private partial void LogAway(string reason);

    [LoggerMessage(4002, LogLevel.Information, "The log can be read again")]
    private partial void LogBack();

    [LoggerMessage(4003, LogLevel.Error, "A feed could not read its log")]
    private partial void LogBroken(Exception exception);
}
