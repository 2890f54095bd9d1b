using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Webhooks;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;

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
        WebhookResponses responses,
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
            return WebhookResponses.TooManyOfUrl(options.Value.MaxPerUrl);
        }

        if (outcome == WebhookUpdate.NotFound || await queries.FindAsync(userId, id, cancellationToken) is not { } webhook)
        {
            return WebhookResponses.NotFound();
        }

        return TypedResults.Ok(new Success<WebhookView>(responses.View(webhook)));
    }

    private static async Task<WebhookChange> ReadAsync(
        UpdateWebhookRequest request, string userId, WebhookRules rules, FieldErrors errors, CancellationToken cancellationToken)
    {
        if (request.Has(nameof(request.Url)))
        {
            await rules.CheckUrlAsync(request.Url, userId, errors, cancellationToken);
        }

        if (request.Has(nameof(request.Enabled)) && request.Enabled is null)
        {
            errors.Add("enabled", "Must be true or false.");
        }

        WebhookRules.CheckDescription(request.Description, errors);
        return new()
        {
            Url = request.Url,
            SetsDescription = request.Has(nameof(request.Description)),
            Description = request.Description,
            SetsStatuses = request.Has(nameof(request.Statuses)),
            Statuses = WebhookRules.Statuses(request.Statuses, errors),
            SetsTypes = request.Has(nameof(request.Types)),
            Types = rules.Types(request.Types, errors),
            Enabled = request.Enabled,
        };
    }
}
