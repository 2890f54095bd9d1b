using System.Security.Cryptography;
using StatusUpdates.Api.Errors;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Api.Webhooks;

/// <summary>What handlers of webhooks answer with. Thread-safe.</summary>
internal sealed partial class WebhookAnswers(SigningKeyProtector protector, ILogger<WebhookAnswers> logger)
{
    /// <summary>The one answer for an id that is nobody's and one that is another user's.</summary>
    public static ProblemResult NotFound() => ProblemResult.NotFound("There is no such webhook.");

    public static ProblemResult NoDelivery() => ProblemResult.NotFound("There is no such delivery of such a webhook.");

    public static ProblemResult Disabled() => new(
        StatusCodes.Status409Conflict, ProblemCodes.WebhookDisabled, "Nothing is delivered to the webhook while it is disabled. Enable it first.");

    public static ProblemResult Unproven() => new(
        StatusCodes.Status409Conflict,
        ProblemCodes.WebhookUnproven,
        "Nothing is replayed until the webhook has answered a message with 2xx at its present url. Send a test (POST …/test), or wait for its first delivery.");

    public static ProblemResult TooManyOfUrl(int max) => new(
        StatusCodes.Status409Conflict,
        ProblemCodes.WebhookUrlLimit,
        $"You have as many webhooks at this url, whatever its query, as a user may have: {max}. Change one of them, or remove one.");

    public static ProblemResult TooManyPending() => new(
        StatusCodes.Status409Conflict,
        ProblemCodes.TooManyPending,
        $"More than {ReplayStore.MaxPending} deliveries of the webhook are pending: nothing is replayed until there are fewer.");

    /// <summary>A webhook, with the public key of its newest keys.</summary>
    public WebhookView View(Webhook webhook) => WebhookView.Of(webhook, ReadKeys(webhook)?.PublicKey);

    /// <summary>A webhook's keys; null if they cannot be decrypted any more, which a rotation mends.</summary>
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

    [LoggerMessage(4501, LogLevel.Error, "The signing keys of webhook {WebhookId} cannot be decrypted: its secret has to be rotated")]
    private static partial void LogUnreadable(ILogger logger, string webhookId, Exception exception);
}
