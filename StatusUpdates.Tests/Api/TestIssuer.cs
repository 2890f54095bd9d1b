using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace StatusUpdates.Tests.Api;

/// <summary>A small real issuer: discovery and keys over HTTP on loopback (OpenID Connect Discovery 1.0, RFC 7517), and tokens signed by it.</summary>
internal sealed class TestIssuer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly RSA _foreignKey = RSA.Create(2048);
    private RSA _key = RSA.Create(2048);
    private int _rotations;
    private int _asked;
    private int _failing;

    private TestIssuer(WebApplication app)
    {
        _app = app;
        app.MapGet("/.well-known/openid-configuration", () => Results.Text(
            $$"""{"issuer":"{{Url}}","jwks_uri":"{{Url}}/keys","response_types_supported":["id_token"],"id_token_signing_alg_values_supported":["RS256"]}""",
            "application/json"));
        app.MapGet("/keys", () =>
        {
            Interlocked.Increment(ref _asked);
            if (Interlocked.Decrement(ref _failing) >= 0)
            {
                return Results.StatusCode(StatusCodes.Status500InternalServerError);
            }

            var key = _key.ExportParameters(includePrivateParameters: false);
            return Results.Text(
                $$"""{"keys":[{"kty":"RSA","use":"sig","kid":"{{KeyId}}","n":"{{Base64UrlEncoder.Encode(key.Modulus!)}}","e":"{{Base64UrlEncoder.Encode(key.Exponent!)}}"}]}""",
                "application/json");
        });
    }

    /// <summary>Its name, and where it is.</summary>
    public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    /// <summary>How often its keys were asked for.</summary>
    public int Asked => Volatile.Read(ref _asked);

    private string KeyId => $"key-{Volatile.Read(ref _rotations)}";

    /// <summary>Has another key from now on, by another name, and no longer the one before.</summary>
    public void Rotate()
    {
        _key.Dispose();
        _key = RSA.Create(2048);
        Interlocked.Increment(ref _rotations);
    }

    /// <summary>Does not tell its keys the next times.</summary>
    public void Fail(int times) => Volatile.Write(ref _failing, times);

    public static async Task<TestIssuer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var issuer = new TestIssuer(builder.Build());
        await issuer._app.StartAsync(TestTime.Token);
        return issuer;
    }

    /// <summary>A token as it issues them, or one with something changed.</summary>
    public string Sign(string audience, string? issuer = null, SigningCredentials? by = null, string type = "JWT") => new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
    {
        TokenType = type,
        Issuer = issuer ?? Url,
        Audience = audience,
        Claims = new Dictionary<string, object> { ["sub"] = "user-1" },
        Expires = TimeProvider.System.GetUtcNow().AddMinutes(5).UtcDateTime,
        SigningCredentials = by ?? new(new RsaSecurityKey(_key) { KeyId = KeyId }, SecurityAlgorithms.RsaSha256),
    });

    /// <summary>Somebody else's key, by the name of its own.</summary>
    public SigningCredentials ForeignKey => new(new RsaSecurityKey(_foreignKey) { KeyId = KeyId }, SecurityAlgorithms.RsaSha256);

    /// <summary>Somebody else's key, by a name that nobody knows.</summary>
    public SigningCredentials UnknownKey => new(new RsaSecurityKey(_foreignKey) { KeyId = Guid.NewGuid().ToString("N") }, SecurityAlgorithms.RsaSha256);

    /// <summary>Its public key, taken for a shared one: what an API signs with that lets the token choose the algorithm.</summary>
    public SigningCredentials PublicKeyAsSecret =>
        new(new SymmetricSecurityKey(_key.ExportSubjectPublicKeyInfo()) { KeyId = KeyId }, SecurityAlgorithms.HmacSha256);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        _key.Dispose();
        _foreignKey.Dispose();
    }
}
