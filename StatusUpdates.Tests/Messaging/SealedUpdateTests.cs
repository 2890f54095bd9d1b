using System.Text;
using CsCheck;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Messaging;

public sealed class SealedUpdateTests
{
    private static readonly MessageSeal Seal = CreateSeal();

    private static readonly StatusUpdate Update = new()
    {
        GenerationId = "gen-1",
        UserId = "user-456",
        Type = "product_card",
        Status = GenerationStatus.Processing,
        Timestamp = 1_700_000_000_000,
        Seq = 42,
        Cursor = "42-9f3ab2c1",
        After = "41-07d2c4e9",
    };

    private static readonly Gen<string> Text = Gen.OneOf(
        Gen.String, Gen.Const("\",\"after\":\"41-07d2c4e9\",\"tag\":\""), Gen.Const("}}"), Gen.Const("ü ✓ \u2028 \\ \" \0"));

    private static readonly Gen<StatusUpdate> Updates =
        from texts in Text.Array[4]
        from status in Gen.Enum<GenerationStatus>()
        from progress in Gen.Int[0, 100].Nullable()
        from seq in Gen.Long[1, LogPosition.MaxSeq]
        from checks in Gen.Select(Gen.UInt, Gen.UInt)
        from isTraced in Gen.Bool
        from hasMetadata in Gen.Bool
        select Update with
        {
            GenerationId = "gen-" + Clean(texts[0]),
            UserId = "u" + Clean(texts[1]),
            Status = status,
            Seq = seq,
            Cursor = new LogPosition(seq, checks.Item1).ToString(),
            After = new LogPosition(seq - 1, seq == 1 ? null : checks.Item2).ToString(),
            TraceParent = isTraced ? "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" : null,
            Metadata = hasMetadata ? new() { Progress = progress, ErrorMessage = Clean(texts[2]), ResultUrls = [Clean(texts[3])] } : null,
        };

    [Fact]
    public void A_feed_gets_from_a_sealed_message_what_it_gets_from_the_decoded_update()
    {
        Updates.Sample(update =>
        {
            Assert.True(SealedUpdate.TryRead(Seal.Seal(StatusJson.Encode(update)), update.UserId, out var read));
            var (actual, expected) = (Frame.Of(read), Frame.Of(update));
            Assert.Equal(Encoding.UTF8.GetString(expected.Wire.Span), Encoding.UTF8.GetString(actual.Wire.Span));
            Assert.Equal(Encoding.UTF8.GetString(expected.Payload.Span), Encoding.UTF8.GetString(actual.Payload.Span));
            Assert.Equal(
                (expected.Cursor, expected.After, expected.GenerationId, expected.Status, expected.Timestamp, expected.Trace, expected.IsLogged),
                (actual.Cursor, actual.After, actual.GenerationId, actual.Status, actual.Timestamp, actual.Trace, actual.IsLogged));
            Assert.True(actual.IsSameAs(expected));
        });
    }

    [Fact]
    public void A_message_of_another_user_is_not_read()
    {
        Assert.False(SealedUpdate.TryRead(Seal.Seal(StatusJson.Encode(Update)), "user-45", out _));
    }

    [Theory]
    [InlineData("""{"generationId":"gen-1","userId":"user-456","type":"sora","status":"failed","timestamp":1,"seq":2,"cursor":"2-00000001","extra":1,"after":"1-00000001","tag":""}""")]
    [InlineData("""{"generationId":"gen-1","userId":"user-456","type":"sora","status":"failed","timestamp":1,"seq":2,"cursor":"2-00000001","after":"1-00000001","metadata":{},"tag":""}""")]
    [InlineData("""{"generationId":"gen-1","userId":"user-456","type":"sora","status":"failed","timestamp":1,"seq":2,"cursor":"2-00000001","traceparent":"","after":"1-00000001","tag":""}""")]
    [InlineData("""{"generationId":"gen-1","userId":"user-456","type":"sora","status":"failed","timestamp":1,"seq":2,"cursor":"2-00000001", "after":"1-00000001","tag":""}""")]
    [InlineData("""{"generationId":"gen-1","userId":"user-456","type":"sora","status":"lost","timestamp":1,"seq":2,"cursor":"2-00000001","after":"1-00000001","tag":""}""")]
    [InlineData("""{"generationId":"gen-1","userId":"user-456","type":"sora","status":"failed","timestamp":1,"seq":3,"cursor":"2-00000001","after":"1-00000001","tag":""}""")]
    [InlineData("""{"generationId":"gen-1","userId":"user-456","status":"failed","timestamp":1,"seq":2,"cursor":"2-00000001","after":"1-00000001","tag":""}""")]
    [InlineData("""{"generationId":"gen-1","userId":"user-456","type":"sora","status":"failed","timestamp":1,"seq":2,"after":"1-00000001","tag":""}""")]
    [InlineData("""{"generationId":"gen-1","userId":"user-456","type":"sora","status":"failed","timestamp":1,"seq":2,"cursor":"2-00000001","tag":""}""")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("")]
    public void A_message_of_another_form_is_left_to_the_decoder(string message)
    {
        Assert.False(SealedUpdate.TryRead(Encoding.UTF8.GetBytes(message), "user-456", out _));
    }

    // Lone surrogates do not survive UTF-8.
    private static string Clean(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    private static MessageSeal CreateSeal()
    {
        var seal = new MessageSeal();
        seal.UseKey(new byte[32]);
        return seal;
    }
}
