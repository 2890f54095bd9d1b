using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Transports;

/// <summary>The generation that a stream follows to its end. One reader at a time.</summary>
internal sealed class FollowedGeneration(string userId, string generationId, IServiceScopeFactory scopes, DatabaseWatch database)
{
    /// <summary>The state that the stream begins with, if the log has none of the generation's updates any more; null: it begins with those.</summary>
    public Frame? Start { get; private set; }

    /// <summary>Makes the stream begin with the current state. Order: after the cursor was opened, which then delivers everything after the state.</summary>
    /// <returns>Whether the generation exists.</returns>
    public async Task<bool> StartWithStateAsync(CancellationToken cancellationToken) =>
        (Start = await ReadStateAsync(cancellationToken)) is not null;

    /// <summary>The generation's current state as an update; null if it does not exist.</summary>
    public async Task<Frame?> ReadStateAsync(CancellationToken cancellationToken)
    {
        // A separate scope: a stream must not hold a DbContext for its whole lifetime.
        await using var scope = scopes.CreateAsyncScope();
        var generation = await scope.ServiceProvider.GetRequiredService<GenerationQueries>().FindAsync(userId, generationId, cancellationToken);
        return generation is null ? null : Frame.Of(UpdateOf(generation));
    }

    /// <summary>The current state as an update; null also if the database is away.</summary>
    public async ValueTask<Frame?> TryReadStateAsync()
    {
        try
        {
            // Bounded only by the database's own time-outs, not by the connection: its client must be sent something.
            return await ReadStateAsync(CancellationToken.None);
        }
        catch (Exception e) when (DatabaseFailures.IsUnavailable(e))
        {
            database.Failed(e);
            return null;
        }
    }

    private static StatusUpdate UpdateOf(Generation generation) => new()
    {
        GenerationId = generation.Id,
        UserId = generation.UserId,
        Type = generation.Type,
        Status = generation.Status,
        Timestamp = generation.UpdatedAt.ToUnixTimeMilliseconds(),
        Seq = generation.Seq,
        Cursor = new LogPosition(generation.Seq, LogPosition.CheckOf(generation.LastUpdateId)).ToString(),
        Metadata = MetadataOf(generation),
    };

    private static StatusMetadata? MetadataOf(Generation generation)
    {
        var metadata = new StatusMetadata
        {
            ResultUrls = generation.Status == GenerationStatus.Completed ? generation.ResultUrls : null,
            TokensUsed = generation.TokensUsed,
            Progress = generation.Progress,
            Attempt = generation.Attempt > 0 ? generation.Attempt : null,
            ErrorMessage = generation.ErrorMessage,
        };
        return metadata == new StatusMetadata() ? null : metadata;
    }
}
