using System.Globalization;
using System.Net;
using System.Text.Json;
using Npgsql;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Scenarios;

namespace StatusUpdates.Tests.Hosting;

/// <summary>The published model is for production: it asks for what an operator must provide, and has no access meant for developers.</summary>
public sealed class PublishedModelTests
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task The_model_asks_for_what_production_needs_and_contains_nothing_of_development()
    {
        var model = await PublishedModel.DefaultAsync();

        foreach (var parameter in new[] { "token-authority", "token-audience", "public-url", "trusted-proxies", "results-folder" })
        {
            Assert.Equal("parameter.v0", model[parameter].GetProperty("type").GetString());
            Assert.False(model[parameter].GetProperty("inputs").GetProperty("value").TryGetProperty("default", out _), parameter);
        }

        foreach (var development in new[] { "SigningKeys", "ValidIssuer", "jwt-signing-key", "statusupdates-development", "Development", "localhost", "127.0.0.1", "NativeServers", "5080" })
        {
            Assert.DoesNotContain(development, model.Text, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("bot", model.Names);
        Assert.DoesNotContain("telegram-bot-token", model.Names);
    }

    [Fact]
    public async Task The_servers_have_a_database_a_volume_name_that_Kubernetes_accepts_and_secret_passwords()
    {
        var model = await PublishedModel.DefaultAsync();

        Assert.Equal("container.v0", model["postgres"].GetProperty("type").GetString());
        Assert.Equal("statusdb", model["postgres"].GetProperty("env").GetProperty("POSTGRES_DB").GetString());
        var volume = Assert.Single(model["postgres"].GetProperty("volumes").EnumerateArray()).GetProperty("name").GetString();
        Assert.Matches("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", volume); // RFC 1123 label
        Assert.Equal("container.v0", model["redis"].GetProperty("type").GetString());
        Assert.False(model["redis"].TryGetProperty("volumes", out _));
        foreach (var password in new[] { "postgres-password", "redis-password" })
        {
            Assert.True(model[password].GetProperty("inputs").GetProperty("value").GetProperty("secret").GetBoolean());
        }
    }

    [Fact]
    public async Task The_API_is_behind_an_ingress_and_every_service_has_an_address_for_probes()
    {
        var model = await PublishedModel.PublishAsync(["--Bot:Enabled=true"]);

        Assert.True(model["api"].GetProperty("bindings").GetProperty("http").GetProperty("external").GetBoolean());
        Assert.Equal("true", EnvOf(model, "api", "ASPNETCORE_FORWARDEDHEADERS_ENABLED"));
        Assert.Equal("{trusted-proxies.value}", EnvOf(model, "api", "ForwardedHeaders__KnownNetworks__0"));
        Assert.Equal("{public-url.value}", EnvOf(model, "api", "Results__PublicBaseUrl"));
        Assert.Equal("{public-url.value}", EnvOf(model, "worker", "Results__PublicBaseUrl"));
        Assert.All(["api", "worker", "bot"], service => Assert.Equal("{results-folder.value}", EnvOf(model, service, "Results__Folder")));
        foreach (var service in new[] { "worker", "bot" })
        {
            Assert.Equal($"{{{service}.bindings.http.targetPort}}", EnvOf(model, service, "HTTP_PORTS"));
            Assert.False(model[service].GetProperty("bindings").GetProperty("http").TryGetProperty("external", out _), service);
        }
    }

    [Fact]
    public async Task API_and_workers_get_the_same_types()
    {
        const string Makes = "Generations:Types:poster:Tasks:print_poster:Makes:0";
        var model = await PublishedModel.PublishAsync([$"--{Makes}=image/"]);

        foreach (var service in new[] { "api", "worker" })
        {
            Assert.Equal("image/", EnvOf(model, service, Makes.Replace(":", "__", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task Probes_replicas_and_descriptions_are_in_the_model_for_other_publishers()
    {
        await using var host = await TestAppHost.CreateAsync(
            Token, "--publisher=manifest", "--output-path=unused", "--Bot:Enabled=true", "--DataProtection:UseCertificate=true");

        foreach (var service in host.Resources.OfType<ProjectResource>())
        {
            Assert.Equal(
                [("Liveness", "/alive"), ("Readiness", "/health"), ("Startup", "/alive")],
#pragma warning disable ASPIREPROBES001 // Probes are marked as experimental.
                service.Annotations.OfType<EndpointProbeAnnotation>().Select(probe => (probe.Type.ToString(), probe.Path)).Order());
#pragma warning restore ASPIREPROBES001
        }

        Assert.Equal(2, host.Resources.OfType<ProjectResource>().Single(project => project.Name == "worker").GetReplicaCount());
        string[] asked = ["token-authority", "token-audience", "public-url", "trusted-proxies", "results-folder", "telegram-bot-token", "data-protection-certificate", "data-protection-certificate-password"];
        var parameters = host.Resources.OfType<ParameterResource>().ToDictionary(parameter => parameter.Name);
        Assert.All(asked, name => Assert.NotEmpty(parameters[name].Description ?? ""));
        Assert.All(["telegram-bot-token", "data-protection-certificate-password"], name => Assert.True(parameters[name].Secret));
    }

    [Long]
    [Fact]
    public async Task The_bot_is_part_of_the_model_only_if_enabled_and_contains_no_token_from_the_publishing_shell()
    {
        var shell = new Dictionary<string, string?> { ["TELEGRAM_BOT_TOKEN"] = "123456:of-the-shell" };

        var without = await PublishedModel.PublishAsync([], shell);
        var with = await PublishedModel.PublishAsync(["--Bot:Enabled=true"], shell);

        Assert.DoesNotContain("bot", without.Names);
        Assert.Equal("{telegram-bot-token.value}", EnvOf(with, "bot", "Telegram__Token"));
        var input = with["telegram-bot-token"].GetProperty("inputs").GetProperty("value");
        Assert.True(input.GetProperty("secret").GetBoolean());
        Assert.False(input.TryGetProperty("default", out _));
        Assert.All([without, with], model => Assert.DoesNotContain("of-the-shell", model.Text, StringComparison.Ordinal));
    }

    [Long]
    [Fact]
    public async Task A_managed_database_is_a_connection_string_that_the_operator_provides()
    {
        var model = await PublishedModel.PublishAsync(["--Database=managed"]);

        Assert.DoesNotContain("postgres", model.Names);
        Assert.Equal("{statusdb.connectionString}", EnvOf(model, "api", "ConnectionStrings__statusdb"));
        Assert.Equal("{statusdb.value}", model["statusdb"].GetProperty("connectionString").GetString());
        Assert.True(model["statusdb"].GetProperty("inputs").GetProperty("value").GetProperty("secret").GetBoolean());
    }

    [Long]
    [Fact]
    public async Task A_bucket_for_large_results_is_asked_for_instead_of_a_folder()
    {
        var model = await PublishedModel.PublishAsync(["--Results=s3"]);

        Assert.DoesNotContain("results-folder", model.Names);
        foreach (var service in new[] { "api", "worker" })
        {
            Assert.Equal("{results-s3-endpoint.value}", EnvOf(model, service, "Results__S3__Endpoint"));
            Assert.Equal("{results-s3-bucket.value}", EnvOf(model, service, "Results__S3__Bucket"));
            Assert.Equal("{results-s3-region.value}", EnvOf(model, service, "Results__S3__Region"));
            Assert.Equal("{results-s3-access-key.value}", EnvOf(model, service, "Results__S3__AccessKey"));
            Assert.Equal("{results-s3-secret-key.value}", EnvOf(model, service, "Results__S3__SecretKey"));
        }

        Assert.True(model["results-s3-secret-key"].GetProperty("inputs").GetProperty("value").GetProperty("secret").GetBoolean());
    }

    [Long]
    [Fact]
    public async Task A_certificate_for_webhook_secrets_is_asked_for_if_enabled()
    {
        var model = await PublishedModel.PublishAsync(["--DataProtection:UseCertificate=true"]);

        foreach (var service in new[] { "api", "worker" })
        {
            Assert.Equal("{data-protection-certificate.value}", EnvOf(model, service, "DataProtection__Certificate__Path"));
            Assert.Equal("{data-protection-certificate-password.value}", EnvOf(model, service, "DataProtection__Certificate__Password"));
        }

        Assert.True(model["data-protection-certificate-password"].GetProperty("inputs").GetProperty("value").GetProperty("secret").GetBoolean());
    }

    [Long]
    [Theory]
    [InlineData("--Database=mine", "Database is 'mine'; it must be container or managed.")]
    [InlineData("--Results=ftp", "Results is 'ftp'; it must be folder or s3.")]
    [InlineData("--Bot:Enabled=maybe", "Bot:Enabled is 'maybe'; it must be false or true.")]
    public async Task An_invalid_setting_gives_one_line_that_names_it(string argument, string expected)
    {
        var (exitCode, output) = await AppHostProcess.RunAsync(
            ["--publisher", "manifest", "--output-path", Path.GetTempFileName(), argument], new Dictionary<string, string?>());

        Assert.Equal(1, exitCode);
        Assert.Equal(expected, output.Trim());
    }

    [Long]
    [Fact]
    public async Task Services_with_exactly_the_published_environment_create_their_database_and_accept_tokens_of_the_issuer()
    {
        var model = await PublishedModel.DefaultAsync();
        await using var postgres = await PostgresServer.StartAsync(new(), Token); // only the databases that every new server has
        await using var redis = await RedisServer.StartAsync(new() { Password = "of-redis" }, Token);
        await using var issuer = await TestIssuer.StartAsync();
        using var results = new TemporaryFolder();
        var (apiPort, workerPort) = (LoopbackPort.FindFree(), LoopbackPort.FindFree());
        var inputs = new Dictionary<string, string>
        {
            ["postgres.bindings.tcp.host"] = "127.0.0.1",
            ["postgres.bindings.tcp.port"] = postgres.Port.ToString(CultureInfo.InvariantCulture),
            ["postgres-password"] = postgres.Password,
            ["redis.bindings.tcp.host"] = "127.0.0.1",
            ["redis.bindings.tcp.port"] = redis.Port.ToString(CultureInfo.InvariantCulture),
            ["redis.bindings.tcp.scheme"] = "redis",
            ["redis-password"] = "of-redis",
            ["api.bindings.http.targetPort"] = apiPort.ToString(CultureInfo.InvariantCulture),
            ["worker.bindings.http.targetPort"] = workerPort.ToString(CultureInfo.InvariantCulture),
            ["token-authority"] = issuer.Url,
            ["token-audience"] = "statusupdates",
            ["trusted-proxies"] = "10.0.0.0/8",
            ["public-url"] = "https://status.example.com",
            ["results-folder"] = results.Path,
        };
        await using var api = new ChildProcess("StatusUpdates.Api.dll", Production(model.EnvironmentOf("api", inputs), ("Authentication__Schemes__Bearer__RequireHttpsMetadata", "false")));
        await using var worker = new ChildProcess("StatusUpdates.SampleProviders.dll", Production(model.EnvironmentOf("worker", inputs)));

        // At the same time, as a deployment starts them: either may be the one that creates the database.
        await Task.WhenAll(api.StartAsync(), worker.StartAsync());

        using var client = HttpClients.Create(new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{apiPort}")));
        client.DefaultRequestHeaders.Authorization = new("Bearer", issuer.Sign("statusupdates"));
        using var submitted = await client.PostAsync("/api/v1/generations", Answers.Json("""{"type":"product_card","prompt":"Product card: clean"}"""), Token);
        Assert.Equal(HttpStatusCode.Accepted, submitted.StatusCode);
        using var body = JsonDocument.Parse(await submitted.Content.ReadAsStringAsync(Token));
        var id = body.RootElement.GetProperty("data").GetProperty("id").GetString();
        var last = "";
        await foreach (var line in Lines(client, $"/api/v1/generations/{id}/stream"))
        {
            last = line.StartsWith("data:", StringComparison.Ordinal) ? line : last;
        }

        Assert.Contains("\"completed\"", last, StringComparison.Ordinal);
        Assert.Contains("https://status.example.com/", last, StringComparison.Ordinal);
        using var devToken = await client.PostAsync("/api/v1/dev/token", Answers.Json("""{"userId":"user-1"}"""), Token);
        Assert.Equal(HttpStatusCode.NotFound, devToken.StatusCode);
        foreach (var port in new[] { apiPort, workerPort })
        {
            foreach (var path in new[] { "alive", "health" })
            {
                using var probe = await client.GetAsync($"http://127.0.0.1:{port}/{path}", Token);
                Assert.Equal(HttpStatusCode.OK, probe.StatusCode);
            }
        }

        await using var source = NpgsqlDataSource.Create(postgres.ConnectionStringFor("statusdb"));
        await using var command = source.CreateCommand("SELECT count(*) FROM generations");
        Assert.Equal(1L, await command.ExecuteScalarAsync(Token));
    }

    private static string? EnvOf(PublishedModel model, string service, string variable) => model[service].GetProperty("env").GetProperty(variable).GetString();

    // The tests' issuer supports only http. A deployment's issuer uses https and needs no such setting.
    private static IEnumerable<KeyValuePair<string, string?>> Production(Dictionary<string, string?> environment, params (string Name, string Value)[] more) =>
        environment
            .Concat(more.Select(variable => KeyValuePair.Create(variable.Name, (string?)variable.Value)))
            .Append(KeyValuePair.Create("DOTNET_ENVIRONMENT", (string?)"Production"))
            .Append(KeyValuePair.Create("ASPNETCORE_ENVIRONMENT", (string?)"Production"));

    private static async IAsyncEnumerable<string> Lines(HttpClient client, string path)
    {
        using var response = await client.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, Token);
        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Token));
        while (await reader.ReadLineAsync(Token) is { } line)
        {
            yield return line;
        }
    }
}
