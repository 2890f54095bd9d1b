using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.OpenApi;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.OpenApi;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports.LongPolling;

/// <summary><c>GET /api/v1/status/poll</c>: for clients that can hold no stream.</summary>
internal static class PollEndpoint
{
    private const int MaxItems = 100;
    private const int MaxBytes = 64 * 1024;
    private const int DefaultTimeout = 25;
    private const int MaxTimeout = 60;

    // For a poll that does not wait, what is due may still have to be read from the log.
    private static readonly TimeSpan ReadPatience = TimeSpan.FromSeconds(2);

    public static void MapPoll(this IEndpointRouteBuilder routes) => routes.MapGet("/api/v1/status/poll", HandleAsync)
        .WithName("PollStatus")
        .WithTags("Status")
        .WithSummary("Waits for the caller's next updates")
        .WithDescription("Answers at once if there are updates after since, else when one comes, else empty after timeout. Without since: at once, with the log's head as seq.")
        .DescribesParameters(
            FeedParameters.Since,
            new ParameterDescription("timeout", "How long to wait, in seconds.", () => new()
            {
                Type = JsonSchemaType.Integer,
                Minimum = "0",
                Maximum = MaxTimeout.ToString(CultureInfo.InvariantCulture),
                Default = DefaultTimeout,
            }))
        .ProducesProblems(
            StatusCodes.Status400BadRequest,
            StatusCodes.Status401Unauthorized,
            StatusCodes.Status429TooManyRequests,
            StatusCodes.Status503ServiceUnavailable)
        .RequireAuthorization()
        .DisableRequestTimeout();

    private static async Task<Results<Ok<Success<PollPage>>, ProblemResult>> HandleAsync(
        HttpContext context, FeedHub hub, ConnectionContext connections)
    {
        var query = new QueryReader(context.Request.Query);
        var since = query.Position(FeedQuery.Since);
        var timeout = TimeSpan.FromSeconds(query.Integer("timeout", 0, MaxTimeout) ?? DefaultTimeout);
        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        var token = context.User.GetAccessToken();
        if (since is null)
        {
            var head = (await hub.ReadBoundsAsync(token.UserId, context.RequestAborted)).Head;
            return Answer(PollPage.Of([], head, false));
        }

        if (ConnectionAdmission.TryAdmit(context, token.UserId, out var place) is { } full)
        {
            return full;
        }

        using (place)
        using (var cursor = await hub.OpenAsync(new(token.UserId, since, null, MaxBytes), context.RequestAborted))
        using (var poll = new PollConnection(context, cursor, token, timeout > TimeSpan.Zero ? timeout : ReadPatience, connections.Time))
        {
            place!.Hold(poll);
            RequestDuration.LeaveOut(context);
            connections.Metrics.Connected(PollConnection.Transport);
            try
            {
                return Answer(await WaitAsync(cursor, poll, isPatient: timeout > TimeSpan.Zero, connections));
            }
            finally
            {
                connections.Metrics.Disconnected(PollConnection.Transport);
            }
        }
    }

    private static async Task<PollPage> WaitAsync(FeedCursor cursor, PollConnection poll, bool isPatient, ConnectionContext connections)
    {
        while (!poll.IsOver && (isPatient || cursor.HasNews()))
        {
            var startedAt = connections.Time.GetUtcNow();
            using var read = await cursor.ReadAsync();
            switch (read.Kind)
            {
                case FeedReadKind.Frames:
                    return Take(cursor, read, startedAt, connections);
                case FeedReadKind.Resync:
                    return PollPage.Of([], read.End, false) with { Resync = true };
                default:
                    // Signaled, or an update that has no place in the log and so none in a poll.
                    break;
            }
        }

        return PollPage.Of([], cursor.Position, cursor.IsBehind);
    }

    private static PollPage Take(FeedCursor cursor, FeedRead read, DateTimeOffset startedAt, ConnectionContext connections)
    {
        var frames = read.Frames[..Math.Min(read.Count, MaxItems)];
        var items = new EncodedUpdate[frames.Length];
        for (var i = 0; i < items.Length; i++)
        {
            items[i] = new(frames[i].Payload);
        }

        connections.Metrics.Delivered(frames, read.IsLive, PollConnection.Transport, startedAt, connections.Time.GetUtcNow());
        cursor.Advance(frames[^1].Cursor);
        return PollPage.Of(items, cursor.Position, cursor.IsBehind);
    }

    private static Ok<Success<PollPage>> Answer(PollPage page) => TypedResults.Ok(new Success<PollPage>(page));
}
