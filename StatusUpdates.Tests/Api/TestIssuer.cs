using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace StatusUpdates.Tests.Api;

/// <summary>A small real issuer: discovery and keys over HTTP on loopback (OpenID Connect Discovery 1.0, RFC 7517), and tokens that it signs.</summary>
internal sealed class TestIssuer : LoopbackHttpServer
{
    private readonly RSA _foreignKey = RSA.Create(2048);
    private RSA _key = RSA.Create(2048);
    private int _rotations;
    private int _failing;

    private TestIssuer()
    {
    }

    /// <summary>Its issuer name, which is also its address.</summary>
    public string Url => Address.GetLeftPart(UriPartial.Authority);

    /// <summary>How often its keys were requested.</summary>
    public int KeyRequests => Requests.Count(request => request == "GET /keys");

    private string KeyId => $"key-{Volatile.Read(ref _rotations)}";

    /// <summary>Replaces its key with a new one under a new id.</summary>
    public void Rotate()
    {
        _key.Dispose();
        _key = RSA.Create(2048);
        Interlocked.Increment(ref _rotations);
    }

    /// <summary>Answers the next requests for its keys with an error.</summary>
    public void Fail(int times) => Volatile.Write(ref _failing, times);

    public static Task<TestIssuer> StartAsync() => StartAsync(new TestIssuer());

    /// <summary>A token as it issues them, or a variant of it.</summary>
    public string Sign(string audience, string? issuer = null, SigningCredentials? by = null, string type = "JWT") => new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
    {
        TokenType = type,
        Issuer = issuer ?? Url,
        Audience = audience,
        Claims = new Dictionary<string, object> { ["sub"] = "user-1" },
        Expires = TimeProvider.System.GetUtcNow().AddMinutes(5).UtcDateTime,
        SigningCredentials = by ?? new(new RsaSecurityKey(_key) { KeyId = KeyId }, SecurityAlgorithms.RsaSha256),
    });

    /// <summary>Somebody else's key, under the id of its own key.</summary>
    public SigningCredentials ForeignKey => new(new RsaSecurityKey(_foreignKey) { KeyId = KeyId }, SecurityAlgorithms.RsaSha256);

    /// <summary>Somebody else's key, under an unknown id.</summary>
    public SigningCredentials UnknownKey => new(new RsaSecurityKey(_foreignKey) { KeyId = Guid.NewGuid().ToString("N") }, SecurityAlgorithms.RsaSha256);

    /// <summary>Its public key used as a shared secret: accepted by an API that lets the token choose the algorithm.</summary>
    public SigningCredentials PublicKeyAsSecret =>
        new(new SymmetricSecurityKey(_key.ExportSubjectPublicKeyInfo()) { KeyId = KeyId }, SecurityAlgorithms.HmacSha256);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _key.Dispose();
        _foreignKey.Dispose();
    }

    protected override Task AnswerAsync(HttpContext context) => (context.Request.Path.Value switch
    {
        "/.well-known/openid-configuration" => Results.Text(
            $$"""{"issuer":"{{Url}}","jwks_uri":"{{Url}}/keys","response_types_supported":["id_token"],"id_token_signing_alg_values_supported":["RS256"]}""",
            "application/json"),
        "/keys" => Interlocked.Decrement(ref _failing) >= 0
            ? Results.StatusCode(StatusCodes.Status500InternalServerError)
            : Results.Text(Keys(), "application/json"),
        _ => Results.NotFound(),
    }).ExecuteAsync(context);

    private string Keys()
    {
        var key = _key.ExportParameters(includePrivateParameters: false);
        return $$"""{"keys":[{"kty":"RSA","use":"sig","kid":"{{KeyId}}","n":"{{Base64UrlEncoder.Encode(key.Modulus!)}}","e":"{{Base64UrlEncoder.Encode(key.Exponent!)}}"}]}""";
    }
}
