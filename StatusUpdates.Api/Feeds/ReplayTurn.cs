namespace StatusUpdates.Api.Feeds;

/// <summary>
/// A connection's turn to read the log, because it is behind or opens with a cursor: a slot of its user and then one of the instance. However many
/// connections of a user are behind, slots remain for other users. Dispose it after the read.
/// </summary>
internal sealed class ReplayTurn(SemaphoreSlim ofUser, SemaphoreSlim ofAll) : IDisposable
{
    /// <returns>Null: the turn did not come within <see cref="FeedOptions.ReadTimeout"/>.</returns>
    public static async ValueTask<ReplayTurn?> TakeAsync(SemaphoreSlim ofUser, FeedContext context, CancellationToken cancellationToken)
    {
        var started = context.Time.GetTimestamp();
        var timeout = context.Options.ReadTimeout;
        if (!await ofUser.WaitAsync(timeout, cancellationToken))
        {
            return null;
        }

        var taken = false;
        try
        {
            var left = timeout - context.Time.GetElapsedTime(started);
            taken = await context.Replays.WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, cancellationToken);
            return taken ? new ReplayTurn(ofUser, context.Replays) : null;
        }
        finally
        {
            if (!taken)
            {
                ofUser.Release();
            }
        }
    }

    public void Dispose()
    {
        ofAll.Release();
        ofUser.Release();
    }
}
