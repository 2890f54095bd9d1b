using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
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
        SigningKeyProtector protector,
        IOptions<WebhookOptions> options,
        CancellationToken cancellationToken)
    {
        var userId = user.GetUserId();
        var errors = new FieldErrors();
        var change = await ReadAsync(request, userId, rules, errors, cancellationToken);
        if (!errors.IsEmpty)
        {
            return ProblemResult.Invalid(errors);
        }

        var outcome = WebhookIds.IsWebhook(id)
            ? await store.UpdateAsync(userId, id, change, options.Value.MaxPerUrl, cancellationToken)
            : WebhookUpdate.NotFound;
        if (outcome == WebhookUpdate.TooManyOfUrl)
        {
            return WebhookAnswers.TooManyOfUrl(options.Value.MaxPerUrl);
        }

        if (outcome == WebhookUpdate.NotFound || await queries.FindAsync(userId, id, cancellationToken) is not { } webhook)
        {
            return WebhookAnswers.NotFound();
        }

        if (!protector.IsBound(id, webhook.SigningKeys) && answers.ReadKeys(webhook) is { } keys)
        {
            // Of before keys were encrypted for their webhook alone. Whoever replaced them meanwhile has bound them.
            await store.ReplaceKeysAsync(userId, id, webhook.SigningKeys, protector.Protect(id, keys), cancellationToken);
        }

        return TypedResults.Ok(new Success<WebhookView>(answers.View(webhook)));
    }

    private static async Task<WebhookChange> ReadAsync(
        UpdateWebhookRequest request, string userId, WebhookRules rules, FieldErrors errors, CancellationToken cancellationToken)
    {
        if (request.HasUrl)
        {
            await rules.CheckUrlAsync(request.Url, userId, errors, cancellationToken);
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
