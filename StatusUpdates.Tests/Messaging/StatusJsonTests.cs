using System.Text;
using System.Text.Json;
using CsCheck;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Messaging;

public sealed class StatusJsonTests
{
    [Fact]
    public void The_wire_format_matches_the_contract()
    {
        var update = new StatusUpdate
        {
            GenerationId = "gen-123",
            UserId = "user-456",
            Type = "product_card",
            Status = GenerationStatus.Completed,
            Timestamp = 1_700_000_000_000,
            Seq = 42,
            TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            Metadata = new StatusMetadata { ResultUrls = ["https://example.org/1"], TokensUsed = 10, Progress = 100, Attempt = 1 },
        };

        using var json = JsonDocument.Parse(StatusJson.Encode(update));

        using var expected = JsonDocument.Parse(
            """
            {"generationId":"gen-123","userId":"user-456","type":"product_card","status":"completed","timestamp":1700000000000,"seq":42,
             "traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
             "metadata":{"resultUrls":["https://example.org/1"],"tokensUsed":10,"progress":100,"attempt":1}}
            """);
        Assert.True(JsonElement.DeepEquals(expected.RootElement, json.RootElement), json.RootElement.GetRawText());
    }

    [Fact]
    public void Absent_members_are_omitted_and_unknown_ones_are_passed_on()
    {
        const string Foreign =
            """{"generationId":"g","userId":"u","type":"sora","status":"pending","timestamp":1,"metadata":{"queue":{"position":3}}}""";

        Assert.True(StatusJson.TryDecode(Encoding.UTF8.GetBytes(Foreign), out var update, out _));
        Assert.Null(update.Seq);
        Assert.Equal(Foreign, Encoding.UTF8.GetString(StatusJson.Encode(update)));
    }

    [Theory]
    [InlineData("poster", true)]
    [InlineData("a1_2", true)]
    [InlineData("Poster", false)]
    [InlineData("1poster", false)]
    [InlineData("po-ster", false)]
    [InlineData("poster\\n", false)]
    [InlineData("", false)]
    [InlineData("p😀", false)]
    public void A_message_may_have_any_type_whose_name_is_well_formed(string type, bool isTaken)
    {
        var message = $$"""{"generationId":"g","userId":"u","type":"{{type}}","status":"pending","timestamp":1}""";

        Assert.Equal(isTaken, StatusJson.TryDecode(Encoding.UTF8.GetBytes(message), out _, out var error));
        Assert.Equal(isTaken ? null : "type is not a name", error);
    }

    [Theory]
    [InlineData(64, true)]
    [InlineData(65, false)]
    public void A_name_has_at_most_64_characters(int length, bool isName) => Assert.Equal(isName, GenerationNames.IsValid(new string('a', length)));

    [Fact]
    public void Any_encoded_update_decodes_to_the_same_update_and_decoding_any_bytes_throws_nothing()
    {
        var text = Gen.String.Where(s => s.Length > 0 && StatusUpdates.Data.Log.ProviderText.IsClean(s));
        Gen.Select(text, text, Gen.Int[0, 2], Gen.Int[0, 4], Gen.Long[0, long.MaxValue], Gen.Long[1, long.MaxValue])
            .Select((id, user, type, status, timestamp, seq) => new StatusUpdate
            {
                GenerationId = id,
                UserId = user,
                Type = StatusUpdates.Data.Types.GenerationTypes.Default.Names[type],
                Status = (GenerationStatus)status,
                Timestamp = timestamp,
                Seq = seq,
            })
            .Sample(update => StatusJson.TryDecode(StatusJson.Encode(update), out var decoded, out _) && decoded == update);

        Gen.Byte.Array.Sample(bytes =>
        {
            var decodes = StatusJson.TryDecode(bytes, out var update, out var error);
            return decodes ? update is not null : error is not null;
        });
    }
}
