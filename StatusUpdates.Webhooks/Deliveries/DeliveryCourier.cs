using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Webhooks.Keys;

namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>Makes single delivery attempts, and decides when the next one is due. Thread-safe.</summary>
internal sealed partial class DeliveryCourier(
    WebhookSender sender,
    DeliveryGate gate,
    DeliveryStore store,
    SigningKeyProtector protector,
    IOptions<WebhookOptions> options,
    TimeProvider time,
    ILogger<DeliveryCourier> logger)
{
    // Beyond that the cache is cleared. Decrypting keys again costs as much as two signatures.
    private const int MaxKeys = 1000;

    private readonly ConcurrentDictionary<string, (byte[] Stored, SigningKeys Keys)> _keys = new(StringComparer.Ordinal);

    public WebhookDeliveryOptions Options => options.Value.Delivery;

    public DateTimeOffset Now => time.GetUtcNow();

    /// <summary>Attempts a delivery once.</summary>
    /// <returns>Null if it got no permit: then nothing was attempted.</returns>
    /// <exception cref="OperationCanceledException">The cursor was lost; whether the message arrived is unknown.</exception>
    public async Task<AttemptResult?> AttemptAsync(WebhookTarget target, HeldCursor cursor, Delivery delivery)
    {
        using var permit = await gate.TryEnterAsync(cursor.UserId, target.Url, cursor.IsTroubled, cursor.Lost);
        if (permit is null)
        {
            WebhookTelemetry.Postponed();
            return null;
        }

        using var span = WebhookTelemetry.StartAttempt(delivery.Type, target.Url, delivery.Update?.TraceParent, delivery.Attempt + 1);
        var result = TryKeysOf(target) is { } keys
            ? await sender.SendAsync(target.Url, cursor.UserId, delivery.MessageId, delivery.Content(), keys, cursor.Lost)
            : new AttemptResult(Now, null, "Its signing keys cannot be read. Rotate its secret.", null, TimeSpan.Zero, null);
        WebhookTelemetry.AttemptEnded(span, result);
        if (result.IsSuccess && delivery.Update is { } update)
        {
            WebhookTelemetry.Delivered(Now - DateTimeOffset.FromUnixTimeMilliseconds(update.Timestamp));
        }

        return result;
    }

    /// <summary>How long after its <paramref name="failures"/>th failure a delivery is attempted again; null if it is not.</summary>
    public TimeSpan? NextAttempt(int failures, TimeSpan? retryAfter) =>
        Options.DelayAfter(failures, Random.Shared.NextDouble(), retryAfter);

    /// <summary>A message that says that updates are missing, and from where delivery continues.</summary>
    public Delivery Resync(long head)
    {
        WebhookTelemetry.Resynced();
        return Delivery.Resync(head, Now);
    }

    public void GivenUp(Delivery delivery, bool isTest)
    {
        if (!isTest)
        {
            WebhookTelemetry.GivenUp();
            LogGivenUp(delivery.Id);
        }
    }

    /// <summary>Stops deliveries to a webhook until its owner enables it again.</summary>
    public async Task DisableAsync(WebhookTarget target, HeldCursor cursor, string reason)
    {
        await store.DisableAsync(target.Id, cursor, reason);
        WebhookTelemetry.WasDisabled(reason);
        LogDisabled(target.Id, reason);
    }

    private SigningKeys? TryKeysOf(WebhookTarget target)
    {
        try
        {
            return KeysOf(target);
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            // Encrypted by another installation, or with a key that no longer exists. The owner sees the error and can fix it.
            LogNoKeys(target.Id, e.Message);
            return null;
        }
    }

    private SigningKeys KeysOf(WebhookTarget target)
    {
        if (_keys.TryGetValue(target.Id, out var known) && known.Stored.AsSpan().SequenceEqual(target.SigningKeys))
        {
            return known.Keys;
        }

        if (_keys.Count >= MaxKeys)
        {
            _keys.Clear();
        }

        var keys = protector.Unprotect(target.Id, target.SigningKeys);
        _keys[target.Id] = (target.SigningKeys, keys);
        return keys;
    }

    [LoggerMessage(3401, LogLevel.Warning, "Delivery {DeliveryId} was given up after its last attempt")]
    private partial void LogGivenUp(string deliveryId);

    [LoggerMessage(3404, LogLevel.Error, "The signing keys of webhook {WebhookId} cannot be read: {Reason}")]
    private partial void LogNoKeys(string webhookId, string reason);

    [LoggerMessage(3402, LogLevel.Warning, "Webhook {WebhookId} was disabled: {Reason}")]
    private partial void LogDisabled(string webhookId, string reason);
}
