using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Security;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>DELETE /api/v1/webhooks/{id}</c>.</summary>
internal static class DeleteWebhook
{
    public static async Task<Results<NoContent, ProblemResult>> HandleAsync(
        string id, ClaimsPrincipal user, WebhookStore store, WebhookQueries queries, CancellationToken cancellationToken)
    {
        // Looked up first: a delete that is repeated after an unknown outcome deletes no row, but still succeeds.
        var userId = user.GetUserId();
        if (!WebhookIds.IsWebhook(id) || await queries.FindAsync(userId, id, cancellationToken) is null)
        {
            return WebhookResponses.NotFound();
        }

        await store.DeleteAsync(userId, id, cancellationToken);
        return TypedResults.NoContent();
    }
}
