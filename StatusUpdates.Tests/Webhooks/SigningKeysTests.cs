using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.DataProtection;
using NSec.Cryptography;
using StatusUpdates.Webhooks.Keys;

namespace StatusUpdates.Tests.Webhooks;

public sealed class SigningKeysTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, 999, TimeSpan.Zero);
    private static readonly byte[] Body = """{"type":"webhook.test"}"""u8.ToArray();

    [Fact]
    public void A_signature_is_over_id_seconds_and_body()
    {
        var keys = SigningKeys.Create();

        var parts = keys.Sign("msg_1", Now, Body, Now).Split(' ');

        var content = Encoding.UTF8.GetBytes($"msg_1.{Now.ToUnixTimeSeconds()}.").Concat(Body).ToArray();
        var secret = Convert.FromBase64String(keys.Secret["whsec_".Length..]);
        Assert.Equal(32, secret.Length);
        Assert.Equal("v1," + Convert.ToBase64String(HMACSHA256.HashData(secret, content)), parts[0]);
        Assert.StartsWith("v1a,", parts[1], StringComparison.Ordinal);
        var publicKey = NSec.Cryptography.PublicKey.Import(
            SignatureAlgorithm.Ed25519, Convert.FromBase64String(keys.PublicKey["whpk_".Length..]), KeyBlobFormat.RawPublicKey);
        Assert.True(SignatureAlgorithm.Ed25519.Verify(publicKey, content, Convert.FromBase64String(parts[1]["v1a,".Length..])));
        Assert.Equal(2, parts.Length);
    }

    [Fact]
    public void Rotated_keys_sign_until_their_overlap_is_over_and_at_most_three_do()
    {
        var first = SigningKeys.Create();
        var second = first.Rotate(TimeSpan.FromHours(1), Now);
        var fourth = second.Rotate(TimeSpan.FromHours(2), Now).Rotate(TimeSpan.FromHours(3), Now);

        string[] V1(SigningKeys keys, DateTimeOffset at) => [.. keys.Sign("msg_1", Now, Body, at).Split(' ').Where(s => s.StartsWith("v1,", StringComparison.Ordinal))];
        Assert.Equal([.. V1(second, Now.AddHours(1)), .. V1(first, Now)], V1(second, Now));
        Assert.NotEqual(first.Secret, second.Secret);
        Assert.NotEqual(first.PublicKey, second.PublicKey);
        Assert.Single(V1(second, Now.AddHours(1)));
        Assert.Equal(SigningKeys.MaxLive, fourth.Count);
        Assert.Equal(3, V1(fourth, Now.AddHours(1)).Length);
        Assert.Equal(2, V1(fourth, Now.AddHours(2)).Length);
        Assert.Single(V1(fourth, Now.AddHours(3)));
        Assert.Single(V1(fourth.Rotate(TimeSpan.Zero, Now), Now));
    }

    [Fact]
    public void Keys_are_restored_from_storage_unchanged_and_no_one_else_can_read_them()
    {
        var protector = new SigningKeyProtector(new EphemeralDataProtectionProvider());
        var keys = SigningKeys.Create().Rotate(TimeSpan.FromHours(1), Now);

        var stored = protector.Protect("wh-1", keys);
        var read = protector.Unprotect("wh-1", stored);

        Assert.Equal(keys.Secret, read.Secret);
        Assert.Equal(keys.PublicKey, read.PublicKey);
        Assert.Equal(keys.Sign("msg_1", Now, Body, Now), read.Sign("msg_1", Now, Body, Now));
        Assert.Equal(keys.Sign("msg_1", Now, Body, Now.AddHours(1)), read.Sign("msg_1", Now, Body, Now.AddHours(1)));
        Assert.DoesNotContain(keys.Secret["whsec_".Length..], Encoding.UTF8.GetString(stored), StringComparison.Ordinal);
        Assert.Throws<CryptographicException>(() => new SigningKeyProtector(new EphemeralDataProtectionProvider()).Unprotect("wh-1", stored));
    }

    [Fact]
    public void Keys_in_another_webhooks_row_are_not_accepted()
    {
        var protector = new SigningKeyProtector(new EphemeralDataProtectionProvider());
        var keys = SigningKeys.Create();
        var bound = protector.Protect("wh-1", keys);

        Assert.Equal(keys.Secret, protector.Unprotect("wh-1", bound).Secret);
        Assert.Throws<CryptographicException>(() => protector.Unprotect("wh-2", bound));
    }

    [Fact]
    public void Keys_in_use_need_no_memory_mappings_of_which_a_process_has_few()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Counts the mappings in /proc.");
        var protector = new SigningKeyProtector(new EphemeralDataProtectionProvider());
        var stored = protector.Protect("wh-1", SigningKeys.Create().Rotate(TimeSpan.FromHours(1), Now).Rotate(TimeSpan.FromHours(1), Now));
        var before = Mappings();

        var held = Enumerable.Range(0, 1000).Select(_ => protector.Unprotect("wh-1", stored)).ToArray();
        Assert.All(held, keys => Assert.NotEmpty(keys.PublicKey));
        Assert.All(held, keys => Assert.NotEmpty(keys.Sign("msg_1", Now, Body, Now)));

        // Other tests run in parallel. If the library held the keys, there would be 12,000.
        Assert.InRange(Mappings() - before, int.MinValue, 3000);
        GC.KeepAlive(held);

        static int Mappings() => File.ReadLines("/proc/self/maps").Count();
    }

    [Theory]
    [InlineData("""[null]""")]
    [InlineData("""[{"secret":"AAAA","ed25519":"AAAA","publicKey":"AAAA"}]""")]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""[{"secret":"AAAA","ed25519":"AAAA"}]""")]
    public void Invalid_stored_keys_are_a_format_error(string stored) =>
        Assert.Throws<FormatException>(() => SigningKeys.Parse(Encoding.UTF8.GetBytes(stored)));
}
