using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Webhooks.Keys;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>POST /api/v1/webhooks/{id}/rotate-secret</c>.</summary>
internal static class RotateSecret
{
    public static async Task<Results<Ok<Success<WebhookView>>, ProblemResult>> HandleAsync(
        string id,
        RotateSecretRequest? request,
        ClaimsPrincipal user,
        WebhookStore store,
        WebhookQueries queries,
        WebhookResponses responses,
        SigningKeyProtector protector,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        var overlap = request?.OverlapSeconds ?? RotateSecretRequest.DefaultOverlapSeconds;
        if (overlap is < 0 or > RotateSecretRequest.MaxOverlapSeconds)
        {
            return ProblemResult.Invalid("overlapSeconds", $"Must be an integer from 0 to {RotateSecretRequest.MaxOverlapSeconds}.");
        }

        // Concurrent rotations build on each other: if the keys were replaced meanwhile, the loop rotates the new ones.
        var userId = user.GetUserId();
        while (WebhookIds.IsWebhook(id) && await queries.FindAsync(userId, id, cancellationToken) is { } webhook)
        {
            var keys = responses.ReadKeys(webhook)?.Rotate(TimeSpan.FromSeconds(overlap), time.GetUtcNow()) ?? SigningKeys.Create();
            if (await store.ReplaceKeysAsync(userId, id, webhook.SigningKeys, protector.Protect(id, keys), cancellationToken) is { } updatedAt)
            {
                return TypedResults.Ok(new Success<WebhookView>(
                    WebhookView.Of(webhook, keys.PublicKey) with { Secret = keys.Secret, UpdatedAt = updatedAt }));
            }
        }

        return WebhookResponses.NotFound();
    }
}
