using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>DELETE /api/v1/webhooks/{id}</c>.</summary>
internal static class DeleteWebhook
{
    public static async Task<Results<NoContent, ProblemResult>> HandleAsync(
        string id, ClaimsPrincipal user, WebhookStore store, WebhookQueries queries, CancellationToken cancellationToken)
    {
        // Looked for first: a delete that is repeated after an unknown outcome finds nothing, and was one all the same.
        var userId = user.GetUserId();
        if (!WebhookIds.IsWebhook(id) || await queries.FindAsync(userId, id, cancellationToken) is null)
        {
            return WebhookAnswers.NotFound();
        }

        await store.DeleteAsync(userId, id, cancellationToken);
        return TypedResults.NoContent();
    }
}
