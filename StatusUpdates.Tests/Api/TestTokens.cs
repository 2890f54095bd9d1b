using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace StatusUpdates.Tests.Api;

/// <summary>Tokens made by hand, because no library would make half of them.</summary>
internal static class TestTokens
{
    public const string Issuer = "https://issuer.test";
    public const string Audience = "statusupdates-test";

    // Order: before Settings and Bad, which use it. Another one in every test run.
    private static readonly byte[] Key = RandomNumberGenerator.GetBytes(32);

    /// <summary>The API's settings: it accepts what <see cref="Create"/> makes.</summary>
    public static Dictionary<string, string?> Settings { get; } = new()
    {
        ["Authentication:Schemes:Bearer:ValidIssuer"] = Issuer,
        ["Authentication:Schemes:Bearer:ValidAudiences:0"] = Audience,
        ["Authentication:Schemes:Bearer:SigningKeys:0:Issuer"] = Issuer,
        ["Authentication:Schemes:Bearer:SigningKeys:0:Value"] = Convert.ToBase64String(Key),
    };

    /// <summary>Every kind of token that must be refused, by name.</summary>
    public static IReadOnlyDictionary<string, string> Bad { get; } = new Dictionary<string, string>
    {
        ["garbage"] = "garbage",
        ["only dots"] = "..",
        ["three meaningless parts"] = "a.b.c",
        ["five parts"] = "a.b.c.d.e",
        ["alg none, unsigned"] = Encode("""{"alg":"none","typ":"JWT"}""", Payload("u"), null),
        ["alg none, signed"] = Encode("""{"alg":"none","typ":"JWT"}""", Payload("u"), Key),
        ["alg unknown"] = Encode("""{"alg":"XY999","typ":"JWT"}""", Payload("u"), Key),
        ["alg not accepted by this API"] = Encode("""{"alg":"HS512","typ":"JWT"}""", Payload("u"), Key, HMACSHA512.HashData),
        ["typ of a logout token"] = Encode("""{"alg":"HS256","typ":"logout+jwt"}""", Payload("u"), Key),
        ["typ of a DPoP proof"] = Encode("""{"alg":"HS256","typ":"dpop+jwt"}""", Payload("u"), Key),
        ["typ empty"] = Encode("""{"alg":"HS256","typ":""}""", Payload("u"), Key),
        ["typ not a string"] = Encode("""{"alg":"HS256","typ":7}""", Payload("u"), Key),
        ["crit"] = Encode("""{"alg":"HS256","typ":"JWT","crit":["b64"],"b64":true}""", Payload("u"), Key),
        ["crit unknown"] = Encode("""{"alg":"HS256","typ":"JWT","crit":["x"],"x":1}""", Payload("u"), Key),
        ["crit empty"] = Encode("""{"alg":"HS256","typ":"JWT","crit":[]}""", Payload("u"), Key),
        ["no signature"] = Encode(Header, Payload("u"), null),
        ["wrong key"] = Encode(Header, Payload("u"), new byte[32]),
        ["payload changed after signing"] = Tampered(),
        ["wrong issuer"] = Create("u", p => p["iss"] = "https://other.test"),
        ["no issuer"] = Create("u", p => p.Remove("iss")),
        ["wrong audience"] = Create("u", p => p["aud"] = "other"),
        ["no audience"] = Create("u", p => p.Remove("aud")),
        ["expired"] = Create("u", p => p["exp"] = Now - 60),
        ["not yet valid"] = Create("u", p => p["nbf"] = Now + 3600),
        ["no expiry"] = Create("u", p => p.Remove("exp")),
        ["expiry as text"] = Create("u", p => p["exp"] = "tomorrow"),
        ["expiry out of range"] = Create("u", p => p["exp"] = 1e300),
        ["no user"] = Create("u", p => p.Remove("sub")),
        ["empty user"] = Create(""),
        ["user too long"] = Create(new string('u', 256)),
        ["user with U+0000"] = Create("u\0v"),
        ["user with a lone surrogate"] = Encode(Header, Payload("USER").Replace("USER", @"\ud800", StringComparison.Ordinal), Key),
        ["user is a list"] = Create("u", p => p["sub"] = new JsonArray("u", "v")),
        ["user is null"] = Create("u", p => p["sub"] = null),
        ["payload is not an object"] = Encode(Header, "[]", Key),
        ["payload is not JSON"] = Encode(Header, "{", Key),
    };

    private static long Now => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

    private static string Header => """{"alg":"HS256","typ":"JWT"}""";

    /// <summary>A valid token, but with this header.</summary>
    public static string WithHeader(string header) => Encode(header, Payload("user-1"), Key);

    /// <summary>A valid token for this user, with <paramref name="change"/> applied before it is signed.</summary>
    public static string Create(string userId, Action<JsonObject>? change = null)
    {
        var payload = JsonNode.Parse(Payload(userId))!.AsObject();
        change?.Invoke(payload);
        return Encode(Header, payload.ToJsonString(), Key);
    }

    /// <summary>A valid token of a worker, for these tasks; for all by default.</summary>
    public static string OfWorker(string name, params string[] tasks) => Create(name, payload =>
    {
        payload["scope"] = "worker";
        payload["tasks"] = new JsonArray([.. (tasks.Length > 0 ? tasks : ["*"]).Select(task => (JsonNode)task)]);
    });

    private static string Payload(string userId) => JsonSerializer.Serialize(new Dictionary<string, object>
    {
        ["iss"] = Issuer,
        ["aud"] = Audience,
        ["sub"] = userId,
        ["nbf"] = Now,
        ["exp"] = Now + 600,
    });

    // Another user's payload, under the signature of a valid token.
    private static string Tampered()
    {
        var parts = Create("u").Split('.');
        return $"{parts[0]}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(Payload("another")))}.{parts[2]}";
    }

    // Without a key: with an empty signature. HS256 unless another way to sign is given, whatever the header says.
    private static string Encode(string header, string payload, byte[]? key, Func<byte[], byte[], byte[]>? sign = null)
    {
        var signed = $"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header))}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload))}";
        var signature = key is null ? "" : Base64Url.EncodeToString((sign ?? HMACSHA256.HashData)(key, Encoding.ASCII.GetBytes(signed)));
        return $"{signed}.{signature}";
    }
}
