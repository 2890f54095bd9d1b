using StatusUpdates.Data.Log;

namespace StatusUpdates.Api.Feeds;

/// <summary>What feeds read from the log. All methods throw a <see cref="System.Data.Common.DbException"/> while the database is away.</summary>
internal interface IFeedLog
{
    /// <inheritdoc cref="StatusLog.ReadAfterAsync"/>
    Task<LogPage> ReadAfterAsync(string userId, long cursor, int limit, CancellationToken cancellationToken);

    /// <summary>The bounds of up to 1,000 logs in one statement. Users without a log are absent.</summary>
    Task<IReadOnlyDictionary<string, LogBounds>> ReadBoundsAsync(IReadOnlyCollection<string> userIds, CancellationToken cancellationToken);

    /// <summary>The bounds of one log.</summary>
    Task<LogBounds> ReadBoundsAsync(string userId, CancellationToken cancellationToken);
}

/// <summary><see cref="IFeedLog"/> on the database.</summary>
internal sealed class DatabaseFeedLog(StatusLog log) : IFeedLog
{
    public Task<LogPage> ReadAfterAsync(string userId, long cursor, int limit, CancellationToken cancellationToken) =>
        log.ReadAfterAsync(userId, cursor, limit, cancellationToken);

    public Task<IReadOnlyDictionary<string, LogBounds>> ReadBoundsAsync(
        IReadOnlyCollection<string> userIds, CancellationToken cancellationToken) => log.ReadBoundsAsync(userIds, cancellationToken);

    public Task<LogBounds> ReadBoundsAsync(string userId, CancellationToken cancellationToken) =>
        log.ReadBoundsAsync(userId, cancellationToken);
}
