using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Messaging;

public sealed class MessageSealTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    private static readonly StatusUpdate Update = new()
    {
        GenerationId = "gen-1",
        UserId = "user-456",
        Type = "product_card",
        Status = GenerationStatus.Completed,
        Timestamp = 1_700_000_000_000,
        Seq = 42,
        Cursor = "42-9f3ab2c1",
        After = "41-07d2c4e9",
    };

    [Fact]
    public void A_sealed_message_is_the_update_with_its_tag_last_and_is_genuine()
    {
        var seal = With(Key);
        var message = seal.Seal(StatusJson.Encode(Update));

        Assert.True(seal.IsGenuine(message));
        Assert.True(StatusJson.TryDecode(message, out var decoded, out _));
        Assert.Equal(Update, decoded);
        var tag = JsonNode.Parse(message)!.AsObject().Last();
        Assert.Equal(("tag", 22), (tag.Key, ((string)tag.Value!).Length));
    }

    [Fact]
    public void The_tag_is_the_HMAC_of_RFC_2104_over_everything_before_it()
    {
        // Computed with openssl dgst -sha256 -mac HMAC over {"a":1 with the key 00 01 … 1f: the first 16 bytes in base64url.
        Assert.Equal("""{"a":1,"tag":"@"}""".Replace("@", Tag, StringComparison.Ordinal), Encoding.UTF8.GetString(With(Key).Seal("""{"a":1}"""u8.ToArray())));
    }

    [Fact]
    public void A_message_that_was_changed_or_truncated_anywhere_is_not_genuine()
    {
        var seal = With(Key);
        var message = seal.Seal(StatusJson.Encode(Update));
        Gen.Select(Gen.Int[0, message.Length - 1], Gen.Byte).Sample((at, value) =>
        {
            var changed = message.ToArray();
            changed[at] = value;
            return seal.IsGenuine(changed) == (value == message[at]);
        });
        Gen.Int[0, message.Length - 1].Sample(length => !seal.IsGenuine(message.AsSpan(0, length)));
    }

    [Fact]
    public void Without_the_key_nothing_is_sealed_nothing_is_genuine_and_each_unverified_message_is_reported()
    {
        var json = StatusJson.Encode(Update);
        var doubts = 0;
        var none = new MessageSeal { Doubted = () => doubts++ };
        var other = With([.. Key.Select(b => (byte)(b ^ 1))]);
        other.Doubted = () => doubts++;

        Assert.Same(json, none.Seal(json));
        Assert.False(none.IsGenuine(With(Key).Seal(json)));
        Assert.False(other.IsGenuine(With(Key).Seal(json)));
        Assert.False(other.IsGenuine(json));
        Assert.Equal(3, doubts);
        Assert.Throws<ArgumentException>(() => none.UseKey(new byte[31]));
    }

    private const string Tag = "0mAze1IE6sd7x43TJZdFtw";

    private static MessageSeal With(byte[] key)
    {
        var seal = new MessageSeal();
        seal.UseKey(key);
        return seal;
    }
}
