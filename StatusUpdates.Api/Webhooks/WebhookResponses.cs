using System.Security.Cryptography;
using StatusUpdates.Api.Errors;
using StatusUpdates.Data.Schema;
using StatusUpdates.Webhooks.Keys;
using StatusUpdates.Webhooks.Replays;

namespace StatusUpdates.Api.Webhooks;

/// <summary>Responses of the webhook handlers. Thread-safe.</summary>
internal sealed partial class WebhookResponses(SigningKeyProtector protector, ILogger<WebhookResponses> logger)
{
    /// <summary>The same response for an unknown id and for another user's.</summary>
    public static ProblemResult NotFound() => ProblemResult.NotFound("There is no such webhook.");

    public static ProblemResult DeliveryNotFound() => ProblemResult.NotFound("There is no such webhook or delivery.");

    public static ProblemResult Disabled() => new(
        ProblemCodes.WebhookDisabled, "Nothing is delivered to the webhook while it is disabled. Enable it first.");

    public static ProblemResult Unproven() => new(
        ProblemCodes.WebhookUnproven,
        "Nothing is replayed until the webhook has answered a message with 2xx at its current url. Send a test (POST …/test), or wait for its first delivery.");

    public static ProblemResult TooManyOfUrl(int max) => new(
        ProblemCodes.WebhookUrlLimit,
        $"A user may have at most {max} webhooks at one url, ignoring its query. Change or remove one of them.");

    public static ProblemResult TooManyPending() => new(
        ProblemCodes.TooManyPending,
        $"More than {ReplayStore.MaxPending} deliveries of the webhook are pending: nothing is replayed until there are fewer.");

    /// <summary>A webhook, with its newest public key.</summary>
    public WebhookView View(Webhook webhook) => WebhookView.Of(webhook, ReadKeys(webhook)?.PublicKey);

    /// <summary>A webhook's keys; null if they can no longer be decrypted, which a rotation fixes.</summary>
    public SigningKeys? ReadKeys(Webhook webhook)
    {
        try
        {
            return protector.Unprotect(webhook.Id, webhook.SigningKeys);
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            LogUnreadable(logger, webhook.Id, e);
            return null;
        }
    }

    [LoggerMessage(4501, LogLevel.Error, "The signing keys of webhook {WebhookId} cannot be decrypted: its secret must be rotated")]
    private static partial void LogUnreadable(ILogger logger, string webhookId, Exception exception);
}
