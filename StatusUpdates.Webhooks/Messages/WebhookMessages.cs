using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using StatusUpdates.Messaging;

namespace StatusUpdates.Webhooks.Messages;

/// <summary>
/// The messages that are posted to webhooks: <c>{"type":…,"timestamp":…,"data":…}</c>. The same input gives the same bytes, so a message is the
/// same at every attempt. Nothing is escaped unnecessarily, so a receiver that verifies what it has parsed and serialized again gets the same
/// bytes too, in most languages. Thread-safe.
/// </summary>
internal static class WebhookMessages
{
    private static readonly WebhookJsonContext Json = new(new JsonSerializerOptions(WebhookJsonContext.Default.Options) { Encoder = PlainJsonEncoder.Instance });

    /// <summary>The type of the message that <c>POST …/test</c> sends.</summary>
    public const string Test = "webhook.test";

    /// <summary>The type of the message that is sent when a part of the log is gone.</summary>
    public const string Resync = "status.resync";

    /// <summary>The type of an update's message, such as <c>generation.completed</c>.</summary>
    public static string TypeOf(GenerationStatus status) => $"generation.{status.ToWireName()}";

    /// <summary>An update, as on the other transports, with the time of the update. Without its trace, which is internal.</summary>
    public static byte[] OfUpdate(StatusUpdate update) => JsonSerializer.SerializeToUtf8Bytes(
        new(
            TypeOf(update.Status),
            Timestamp(DateTimeOffset.FromUnixTimeMilliseconds(update.Timestamp)),
            update.ForClients()),
        Json.WebhookMessageStatusUpdate);

    /// <summary>A test that the owner requested.</summary>
    public static byte[] OfTest(string webhookId, DateTimeOffset time) => JsonSerializer.SerializeToUtf8Bytes(
        new(Test, Timestamp(time), new(webhookId)), Json.WebhookMessageTestData);

    /// <summary>Reports that undelivered updates are gone: read the state by REST, and continue after <paramref name="seq"/>.</summary>
    /// <param name="seq">The log's head, after which deliveries continue.</param>
    /// <param name="time">When that was found.</param>
    public static byte[] OfResync(long seq, DateTimeOffset time) => JsonSerializer.SerializeToUtf8Bytes(
        new(Resync, Timestamp(time), new(seq)), Json.WebhookMessageResyncData);

    private static string Timestamp(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}

internal sealed record WebhookMessage<T>(string Type, string Timestamp, T Data);

internal sealed record TestData(string WebhookId);

internal sealed record ResyncData(long Seq);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(WebhookMessage<StatusUpdate>))]
[JsonSerializable(typeof(WebhookMessage<TestData>))]
[JsonSerializable(typeof(WebhookMessage<ResyncData>))]
internal sealed partial class WebhookJsonContext : JsonSerializerContext;
