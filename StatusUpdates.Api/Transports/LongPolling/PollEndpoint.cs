using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports.LongPolling;

/// <summary><c>GET /api/v1/status/poll</c>: for clients that cannot hold a stream open.</summary>
internal static class PollEndpoint
{
    // Of one response, approximately.
    private const int MaxBytes = 64 * 1024;

    private static readonly Parameter<int> Timeout = Parameters.Integer("timeout", "How long to wait, in seconds.", 0, 60, absent: 25);

    public static void MapPoll(this IEndpointRouteBuilder routes) => routes.MapGet("/api/v1/status/poll", HandleAsync)
        .WithName("PollStatus")
        .WithTags("Status")
        .WithSummary("Waits for the caller's next updates")
        .WithDescription("Responds at once if there are updates after since, otherwise when one arrives, or with no items after timeout. Without since, responds at once with the log's head as seq.")
        .DescribesParameters(FeedParameters.Since, Timeout)
        .Produces<Success<PollPage>>()
        .ServesFeed();

    private static async Task<IResult> HandleAsync(
        HttpContext http, FeedHub hub, ConnectionLifecycle lifecycle, ConnectionContext connections)
    {
        var query = new QueryReader(http.Request);
        var since = query.Read(FeedParameters.Since);
        var timeout = TimeSpan.FromSeconds(query.Read(Timeout));
        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        var token = http.User.GetAccessToken();
        if (since is null)
        {
            return Respond(PollPage.Of([], (await hub.ReadBoundsAsync(token.UserId, http.RequestAborted)).Head, false));
        }

        return await lifecycle.ServeAsync(http, new(token.UserId, since, GenerationId: null, MaxBytes), async (cursor, runAsync) =>
        {
            var poll = new PollConnection(http, cursor, token, timeout, connections);
            await runAsync(poll);
            return Respond(poll.Page!);
        });
    }

    private static Ok<Success<PollPage>> Respond(PollPage page) => TypedResults.Ok(new Success<PollPage>(page));
}
