using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Webhooks;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>PATCH /api/v1/webhooks/{id}</c>.</summary>
internal static class UpdateWebhook
{
    public static async Task<Results<Ok<Success<WebhookView>>, ProblemResult>> HandleAsync(
        string id,
        UpdateWebhookRequest request,
        ClaimsPrincipal user,
        WebhookRules rules,
        WebhookStore store,
        WebhookQueries queries,
        WebhookAnswers answers,
        CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var change = await ReadAsync(request, rules, errors, cancellationToken);
        if (!errors.IsEmpty)
        {
            return ProblemResult.Invalid(errors);
        }

        var userId = user.GetUserId();
        return WebhookIds.IsWebhook(id)
            && await store.UpdateAsync(userId, id, change, cancellationToken)
            && await queries.FindAsync(userId, id, cancellationToken) is { } webhook
                ? TypedResults.Ok(new Success<WebhookView>(answers.View(webhook)))
                : WebhookAnswers.NotFound();
    }

    private static async Task<WebhookChange> ReadAsync(
        UpdateWebhookRequest request, WebhookRules rules, FieldErrors errors, CancellationToken cancellationToken)
    {
        if (request.HasUrl)
        {
            await rules.CheckUrlAsync(request.Url, errors, cancellationToken);
        }

        if (request is { HasEnabled: true, Enabled: null })
        {
            errors.Add("enabled", "Must be true or false.");
        }

        WebhookRules.CheckDescription(request.Description, errors);
        return new()
        {
            Url = request.Url,
            SetsDescription = request.HasDescription,
            Description = request.Description,
            SetsStatuses = request.HasStatuses,
            Statuses = WebhookRules.Names("statuses", request.Statuses, status => status.ToWireName(), GenerationStatusNames.All, errors),
            SetsTypes = request.HasTypes,
            Types = WebhookRules.Names("types", request.Types, type => type.ToWireName(), GenerationTypeNames.All, errors),
            Enabled = request.Enabled,
        };
    }
}
