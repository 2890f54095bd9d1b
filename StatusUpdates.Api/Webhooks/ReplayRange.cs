using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Messaging;
using StatusUpdates.Webhooks.Deliveries;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Replays;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>POST /api/v1/webhooks/{id}/replay</c>.</summary>
internal static class ReplayRange
{
    private const string Since = "since";
    private const string Until = "until";

    public static async Task<Results<Accepted<Success<ReplayView>>, ProblemResult>> HandleAsync(
        string id, ReplayRequest request, HttpRequest http, ClaimsPrincipal user, ReplayStore store, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var since = Seq(Since, request.Since, errors);
        var until = request.Until is null ? null : Seq(Until, request.Until, errors);
        if (since is not { } after || !errors.IsEmpty)
        {
            return ProblemResult.Invalid(errors);
        }

        if (!WebhookIds.IsWebhook(id))
        {
            return WebhookResponses.NotFound();
        }

        var replay = await store.ReplayRangeAsync(user.GetUserId(), id, after, until, cancellationToken);
        return replay.Outcome switch
        {
            ReplayOutcome.Pending => TypedResults.Accepted(
                $"{http.PathBase}{WebhookEndpoints.Path}/{id}/deliveries?state={DeliveryState.Pending}",
                new Success<ReplayView>(new(replay.Count))),
            ReplayOutcome.Disabled => WebhookResponses.Disabled(),
            ReplayOutcome.Unproven => WebhookResponses.Unproven(),
            ReplayOutcome.BadRange => BadRange(after, until, replay.Position),
            ReplayOutcome.TooMany => ProblemResult.Invalid(
                Until, $"Must be at most {ReplayStore.MaxReplay} above since: replay a longer range in parts."),
            ReplayOutcome.Gone => new ProblemResult(
                ProblemCodes.UpdatesGone, $"Updates of this range are no longer stored; since must be at least {replay.Oldest - 1}."),
            ReplayOutcome.TooManyPending => WebhookResponses.TooManyPending(),
            _ => WebhookResponses.NotFound(),
        };
    }

    private static long? Seq(string field, long? value, FieldErrors errors)
    {
        if (value is >= 0 and <= LogPosition.MaxSeq)
        {
            return value;
        }

        errors.Add(field, $"Must be an integer from 0 to {LogPosition.MaxSeq}.");
        return null;
    }

    private static ProblemResult BadRange(long since, long? until, long position) => until is null || until > position
        ? ProblemResult.Invalid(
            until is null ? Since : Until, $"Must not be above the webhook's position, {position}: later updates will be delivered anyway.")
        : ProblemResult.Invalid(Until, $"Must not be below since, {since}.");
}
