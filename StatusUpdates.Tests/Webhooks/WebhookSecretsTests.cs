using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Worker;
using StatusUpdates.Webhooks.Keys;

namespace StatusUpdates.Tests.Webhooks;

public sealed class WebhookSecretsTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_secret_is_in_the_response_that_creates_it_and_nowhere_else()
    {
        var logs = new CollectedLogs();
        var secrets = new List<string>();
        var later = new List<string>();
        await using (var api = await TestApi.StartAsync(servers, configure: builder =>
            builder.Logging.AddProvider(logs).AddFilter<CollectedLogs>(null, LogLevel.Trace).SetMinimumLevel(LogLevel.Trace)))
        {
            var client = api.As("user-1");
            var webhook = await client.CreateWebhookAsync();
            var id = webhook.Id();
            secrets.Add((string)webhook["secret"]!);
            secrets.Add((string)(await client.PostDataAsync($"/{id}/rotate-secret", null, HttpStatusCode.OK))["secret"]!);
            later.Add((await client.GetDataAsync("")).ToJsonString());
            later.Add((await client.GetDataAsync($"/{id}")).ToJsonString());
            later.Add((await client.PatchDataAsync(id, """{"enabled":true}""")).ToJsonString());
            later.Add((await client.PostDataAsync($"/{id}/test", null, HttpStatusCode.Accepted)).ToJsonString());
            later.Add((await client.GetDataAsync($"/{id}/deliveries")).ToJsonString());
            later.Add((await api.Database.ScalarAsync<string>("SELECT w::text || encode(signing_keys, 'escape') FROM webhooks w", Token))!);
            await api.Database.ExecuteAsync("UPDATE webhooks SET signing_keys = '\\x0011'", Token);
            later.Add((await client.GetDataAsync($"/{id}")).ToJsonString());
        }

        Assert.Contains(logs.Lines, line => line.Contains("/api/v1/webhooks", StringComparison.Ordinal));
        foreach (var secret in secrets.SelectMany(Notations))
        {
            Assert.DoesNotContain(later, text => text.Contains(secret, StringComparison.OrdinalIgnoreCase));
            Assert.DoesNotContain(logs.Lines, line => line.Contains(secret, StringComparison.OrdinalIgnoreCase));
        }
    }

    [Fact]
    public async Task A_worker_decrypts_what_the_API_encrypts_whichever_of_them_starts_first()
    {
        await using var database = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();

        // All at once, on a database without keys: each could create its own key.
        var hosts = Enumerable.Range(0, 4).Select(_ => TestWorker.Build(database, redis, provider: null)).ToArray();
        try
        {
            await Task.WhenAll(hosts.Select(host => host.StartAsync(Token)));
            await using var api = await TestApi.StartAsync(database, redis);

            Assert.Equal(1L, await database.ScalarAsync<long>("SELECT count(*) FROM data_protection_keys", Token));
            var webhook = await api.As("user-1").CreateWebhookAsync();
            var secret = (string?)webhook["secret"];
            var stored = (await database.ScalarAsync<byte[]>("SELECT signing_keys FROM webhooks", Token))!;
            Assert.All(hosts, host => Assert.Equal(secret, host.Services.GetRequiredService<SigningKeyProtector>().Unprotect(webhook.Id(), stored).Secret));
        }
        finally
        {
            foreach (var host in hosts)
            {
                await host.StopAsync(CancellationToken.None);
                host.Dispose();
            }
        }
    }

    [Fact]
    public async Task With_a_certificate_the_database_alone_decrypts_nothing_and_a_new_certificate_takes_over()
    {
        using var folder = new TemporaryFolder();
        await using var api = await TestApi.StartAsync(servers, Settings("DataProtection:Certificate", Certificate(folder, "first", "one")));
        var webhook = await api.As("user-1").CreateWebhookAsync();
        var secret = (string)webhook["secret"]!;
        var stored = (await api.Database.ScalarAsync<byte[]>("SELECT signing_keys FROM webhooks", Token))!;
        var xml = await api.Database.ScalarAsync<string>("SELECT string_agg(xml, '') FROM data_protection_keys", Token);
        Assert.Contains("EncryptedData", xml, StringComparison.Ordinal);
        Assert.DoesNotContain("<value>", xml, StringComparison.Ordinal);

        await using (var without = await api.StartAnotherAsync())
        {
            Assert.Throws<CryptographicException>(() => without.Services<SigningKeyProtector>().Unprotect(webhook.Id(), stored));
        }

        await using (var next = await api.StartAnotherAsync(settings: new Dictionary<string, string?>(
            [.. Settings("DataProtection:Certificate", Certificate(folder, "second", "two")), .. Settings("DataProtection:PreviousCertificate", (Path.Combine(folder.Path, "first.p12"), "one"))])))
        {
            Assert.Equal(secret, next.Services<SigningKeyProtector>().Unprotect(webhook.Id(), stored).Secret);
        }
    }

    [Fact]
    public async Task Two_replicas_and_a_worker_with_one_certificate_share_one_key()
    {
        using var folder = new TemporaryFolder();
        var settings = Settings("DataProtection:Certificate", Certificate(folder, "shared", "one"));
        await using var api = await TestApi.StartAsync(servers, settings);
        await using var other = await api.StartAnotherAsync(settings: settings);
        using var worker = TestWorker.Build(
            api.Database, api.Redis, provider: null, [.. settings.Select(setting => (setting.Key, setting.Value!))]);

        var webhook = await api.As("user-1").CreateWebhookAsync();
        var secret = (string)webhook["secret"]!;
        var stored = (await api.Database.ScalarAsync<byte[]>("SELECT signing_keys FROM webhooks", Token))!;

        Assert.Equal(secret, other.Services<SigningKeyProtector>().Unprotect(webhook.Id(), stored).Secret);
        Assert.Equal(secret, worker.Services.GetRequiredService<SigningKeyProtector>().Unprotect(webhook.Id(), stored).Secret);
        Assert.Equal(1L, await api.Database.ScalarAsync<long>("SELECT count(*) FROM data_protection_keys", Token));
    }

    [Fact]
    public void A_certificate_that_cannot_be_used_gives_a_one_line_error_that_names_the_setting()
    {
        using var folder = new TemporaryFolder();
        var path = Certificate(folder, "c", "right").Path;
        var broken = Path.Combine(folder.Path, "broken.p12");
        File.WriteAllText(broken, "no certificate");

        Assert.Equal("DataProtection:Certificate:Path: there is no file /nowhere/c.p12.", Error("/nowhere/c.p12", "right"));
        Assert.StartsWith(
            $"DataProtection:Certificate:Path: {path} cannot be read as a PKCS #12 file with DataProtection:Certificate:Password: ",
            Error(path, "wrong-password"),
            StringComparison.Ordinal);
        Assert.StartsWith($"DataProtection:Certificate:Path: {broken} cannot be read as a PKCS #12 file", Error(broken, "right"), StringComparison.Ordinal);
        Assert.StartsWith("DataProtection:Certificate:Password is set without DataProtection:Certificate:Path", Error("", "right"), StringComparison.Ordinal);

        static string Error(string path, string password)
        {
            var builder = Host.CreateEmptyApplicationBuilder(null);
            builder.Configuration.AddInMemoryCollection(Settings("DataProtection:Certificate", (path, password)));
            var message = Assert.Throws<InvalidOperationException>(builder.AddWebhookSecrets).Message;
            Assert.DoesNotContain('\n', message);
            Assert.DoesNotContain("wrong-password", message, StringComparison.Ordinal);
            return message;
        }
    }

    private static (string Path, string Password) Certificate(TemporaryFolder folder, string name, string password)
    {
        using var key = RSA.Create(2048);
        using var certificate = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
        var path = Path.Combine(folder.Path, name + ".p12");
        File.WriteAllBytes(path, certificate.Export(X509ContentType.Pkcs12, password));
        return (path, password);
    }

    private static Dictionary<string, string?> Settings(string section, (string Path, string Password) certificate) =>
        new() { [$"{section}:Path"] = certificate.Path, [$"{section}:Password"] = certificate.Password };

    // The secret as it is shown, and in the notations in which its bytes could be printed.
    private static IEnumerable<string> Notations(string secret)
    {
        var base64 = secret["whsec_".Length..];
        return [base64, base64.Replace("+", "\\u002B", StringComparison.Ordinal), Convert.ToHexString(Convert.FromBase64String(base64))];
    }
}
