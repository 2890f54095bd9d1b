using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Schema;
using StatusUpdates.Webhooks;
using StatusUpdates.Webhooks.Keys;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Api.Webhooks;

/// <summary><c>POST /api/v1/webhooks</c>.</summary>
internal static class CreateWebhook
{
    public static async Task<Results<Created<Success<WebhookView>>, ProblemResult>> HandleAsync(
        CreateWebhookRequest request,
        HttpRequest http,
        ClaimsPrincipal user,
        WebhookRules rules,
        WebhookStore store,
        SigningKeyProtector protector,
        IOptions<WebhookOptions> options,
        CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        await rules.CheckUrlAsync(request.Url, user.GetUserId(), errors, cancellationToken);
        WebhookRules.CheckDescription(request.Description, errors);
        var statuses = WebhookRules.Statuses(request.Statuses, errors);
        var types = rules.Types(request.Types, errors);
        if (!errors.IsEmpty)
        {
            return ProblemResult.Invalid(errors);
        }

        var keys = SigningKeys.Create();
        var id = WebhookIds.NewWebhook();
        var webhook = new Webhook
        {
            Id = id,
            UserId = user.GetUserId(),
            Url = request.Url!,
            Description = request.Description,
            Statuses = statuses,
            Types = types,
            SigningKeys = protector.Protect(id, keys),

            // The database sets the times, by its own clock.
            CreatedAt = default,
            UpdatedAt = default,
        };
        var created = await store.CreateAsync(webhook, new(options.Value.MaxPerUser, options.Value.MaxPerUrl), cancellationToken);
        if (created.At is not { } createdAt)
        {
            return created.Limit == WebhookLimit.PerUrl
                ? WebhookResponses.TooManyOfUrl(options.Value.MaxPerUrl)
                : new ProblemResult(ProblemCodes.WebhookLimit, $"A user may have at most {options.Value.MaxPerUser} webhooks.");
        }

        // Only this response, and that of a rotation, has the secret.
        var view = WebhookView.Of(webhook, keys.PublicKey) with { Secret = keys.Secret, CreatedAt = createdAt, UpdatedAt = createdAt };
        return TypedResults.Created($"{http.PathBase}{WebhookEndpoints.Path}/{webhook.Id}", new Success<WebhookView>(view));
    }
}
