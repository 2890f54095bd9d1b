using System.Text;
using System.Text.Json;
using StatusUpdates.Messaging;
using StatusUpdates.Webhooks.Keys;
using StatusUpdates.Webhooks.Messages;

namespace StatusUpdates.Tests.Webhooks;

public sealed class WebhookMessagesTests
{
    private static readonly StatusUpdate Update = new()
    {
        GenerationId = "gen-1",
        UserId = "user-1",
        Type = "product_card",
        Status = GenerationStatus.Completed,
        Timestamp = 1_700_000_000_123,
        Seq = 7,
        TraceParent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        Metadata = new() { ResultUrls = ["https://example.com/1"], TokensUsed = 3 },
    };

    [Fact]
    public void An_update_is_written_as_on_the_other_transports_with_its_own_time()
    {
        var body = Encoding.UTF8.GetString(WebhookMessages.OfUpdate(Update));

        Assert.Equal(
            """{"type":"generation.completed","timestamp":"2023-11-14T22:13:20.123Z","data":"""
                + Encoding.UTF8.GetString(StatusJson.Encode(Update with { TraceParent = null })) + "}",
            body);
        Assert.DoesNotContain("traceparent", body, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_body_that_was_parsed_and_serialized_again_as_in_JavaScript_is_the_same_and_its_signature_matches()
    {
        const string Message = "5 < 6 & 'a' + \"b\" \\ / é ü 漢字 \u00a0 \u2028 \ufeff \u007f \u0001 \b\t\n\f\r 😀 👩‍👩‍👧 \ue000";
        var body = WebhookMessages.OfUpdate(Update with
        {
            UserId = "zoë@example.com<>",
            Metadata = new() { ErrorMessage = Message, ResultUrls = ["https://example.com/?a=1&b=2+3"] },
        });
        using var parsed = JsonDocument.Parse(body);

        Assert.Equal(Message, parsed.RootElement.GetProperty("data").GetProperty("metadata").GetProperty("errorMessage").GetString());
        Assert.Equal(Stringify(parsed.RootElement), Encoding.UTF8.GetString(body));
        var keys = SigningKeys.Create();
        var time = DateTimeOffset.UtcNow;
        Assert.Equal(
            keys.Sign("msg_1", time, body, time),
            keys.Sign("msg_1", time, Encoding.UTF8.GetBytes(Stringify(parsed.RootElement)), time));
    }

    [Fact]
    public void The_same_update_gives_the_same_bytes()
    {
        var body = WebhookMessages.OfUpdate(Update);
        Assert.True(StatusJson.TryDecode(StatusJson.Encode(Update), out var again, out _));

        Assert.True(body.AsSpan().SequenceEqual(WebhookMessages.OfUpdate(again)));
    }

    [Fact]
    public void Tests_and_resyncs_have_their_own_types()
    {
        var time = new DateTimeOffset(2026, 3, 1, 14, 0, 0, TimeSpan.FromHours(2));

        Assert.Equal(
            """{"type":"webhook.test","timestamp":"2026-03-01T12:00:00.000Z","data":{"webhookId":"wh-1"}}""",
            Encoding.UTF8.GetString(WebhookMessages.OfTest("wh-1", time)));
        Assert.Equal(
            """{"type":"status.resync","timestamp":"2026-03-01T12:00:00.000Z","data":{"seq":120}}""",
            Encoding.UTF8.GetString(WebhookMessages.OfResync(120, time)));
    }

    [Fact]
    public void Every_status_has_a_message_type()
    {
        foreach (var status in Enum.GetValues<GenerationStatus>())
        {
            Assert.Equal("generation." + status.ToWireName(), WebhookMessages.TypeOf(status));
            using var body = JsonDocument.Parse(WebhookMessages.OfUpdate(Update with { Status = status }));
            Assert.Equal(WebhookMessages.TypeOf(status), body.RootElement.GetProperty("type").GetString());
        }
    }

    [Fact]
    public void Message_ids_come_from_the_update_or_the_delivery()
    {
        var updateId = Guid.CreateVersion7();
        var deliveryId = WebhookIds.NewDelivery();

        Assert.Equal($"msg_{updateId:N}", WebhookIds.MessageOf(updateId));
        Assert.Equal("msg_" + deliveryId["dlv-".Length..].Replace("-", "", StringComparison.Ordinal), WebhookIds.MessageOf(deliveryId));
        Assert.True(WebhookIds.IsDelivery(deliveryId));
        Assert.False(WebhookIds.IsDelivery(WebhookIds.NewWebhook()));
        Assert.False(WebhookIds.IsWebhook("wh-1"));
    }

    // Like JSON.stringify (ECMA-262, section 25.5.2): no spaces, members in order, and only those characters escaped that must be.
    private static string Stringify(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "{" + string.Join(',', value.EnumerateObject().Select(m => Quote(m.Name) + ":" + Stringify(m.Value))) + "}",
        JsonValueKind.Array => "[" + string.Join(',', value.EnumerateArray().Select(Stringify)) + "]",
        JsonValueKind.String => Quote(value.GetString()!),
        _ => value.GetRawText(),
    };

    private static string Quote(string text) => "\"" + string.Concat(text.Select(c => c switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\b' => "\\b",
        '\t' => "\\t",
        '\n' => "\\n",
        '\f' => "\\f",
        '\r' => "\\r",
        < ' ' => $"\\u{(int)c:x4}",
        _ => c.ToString(),
    })) + "\"";
}
