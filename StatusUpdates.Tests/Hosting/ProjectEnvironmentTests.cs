#if !ASPIRE
using Npgsql;
using StatusUpdates.LocalHosting.Engine;

namespace StatusUpdates.Tests.Hosting;

public sealed class ProjectEnvironmentTests
{
    [Fact]
    public async Task A_project_is_given_what_Aspire_would_give_it()
    {
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.StatusUpdates_AppHost>(TestTime.Token);
        builder.Resources.OfType<PostgresServerResource>().Single().Address.Set(new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1",
            Port = 5555,
            Username = "postgres",
            Password = "secret",
        });
        builder.Resources.OfType<RedisResource>().Single().Address.Set(new RedisAddress("127.0.0.1:6666,password=hush", 6666, "hush"));
        builder.Resources.OfType<ParameterResource>().Single().Value = "key";
        var api = builder.Resources.OfType<ProjectResource>().Single(project => project.Name == "api");
        api.Endpoints[0].Port = 7777;

        var variables = await ProjectEnvironment.BuildAsync(api, TestTime.Token);

        Assert.Equal("Host=127.0.0.1;Port=5555;Username=postgres;Password=secret;Database=statusdb", variables["ConnectionStrings__statusdb"]);
        Assert.Equal("127.0.0.1:6666,password=hush", variables["ConnectionStrings__redis"]);
        Assert.Equal(
            [("HOST", "127.0.0.1"), ("PASSWORD", "hush"), ("PORT", "6666"), ("URI", "redis://:hush@127.0.0.1:6666")],
            variables.Where(pair => pair.Key.StartsWith("REDIS_", StringComparison.Ordinal)).Select(pair => (pair.Key[6..], pair.Value ?? "")).Order());
        Assert.Equal("postgresql://postgres:secret@127.0.0.1:5555/statusdb", variables["STATUSDB_URI"]);
        Assert.Equal("jdbc:postgresql://127.0.0.1:5555/statusdb", variables["STATUSDB_JDBCCONNECTIONSTRING"]);
        Assert.Equal("statusdb", variables["STATUSDB_DATABASENAME"]);
        Assert.Equal("http://localhost:7777", variables["ASPNETCORE_URLS"]);
        Assert.Equal("Development", variables["ASPNETCORE_ENVIRONMENT"]);
        Assert.Equal("api", variables["OTEL_SERVICE_NAME"]);
        Assert.StartsWith("service.instance.id=", variables["OTEL_RESOURCE_ATTRIBUTES"], StringComparison.Ordinal);
        Assert.DoesNotContain("OTEL_EXPORTER_OTLP_ENDPOINT", variables.Keys);
        Assert.Equal("key", variables["Authentication__Schemes__Bearer__SigningKeys__0__Value"]);

        var worker = builder.Resources.OfType<ProjectResource>().Single(project => project.Name == "worker");
        Assert.Equal("http://localhost:7777", (await ProjectEnvironment.BuildAsync(worker, TestTime.Token))["Results__PublicBaseUrl"]);
    }

    [Fact]
    public async Task The_bot_is_given_its_token_and_what_else_is_set()
    {
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.StatusUpdates_AppHost>(
            ["--Parameters:telegram-bot-token=123456:a-token-that-is-one"], TestTime.Token);
        builder.Resources.OfType<PostgresServerResource>().Single().Address.Set(new NpgsqlConnectionStringBuilder { Host = "127.0.0.1", Port = 5555 });
        builder.Resources.OfType<RedisResource>().Single().Address.Set(new RedisAddress("127.0.0.1:6666", 6666, "hush"));
        foreach (var parameter in builder.Resources.OfType<ParameterResource>())
        {
            parameter.Value = parameter.Default.GetDefaultValue();
        }

        var bot = builder.Resources.OfType<ProjectResource>().Single(project => project.Name == "bot");
        var variables = await ProjectEnvironment.BuildAsync(bot, TestTime.Token);

        Assert.Equal("123456:a-token-that-is-one", variables["Telegram__Token"]);
        Assert.DoesNotContain("Telegram__BaseUrl", variables.Keys);
        Assert.Contains("ConnectionStrings__statusdb", variables.Keys);
        Assert.Contains("ConnectionStrings__redis", variables.Keys);
        Assert.Equal("Development", variables["DOTNET_ENVIRONMENT"]);
    }

    [Theory]
    [InlineData("--publisher")]
    [InlineData("--publisher=manifest")]
    [InlineData("publish")]
    [InlineData("--=:")]
    public async Task Arguments_that_are_no_settings_are_refused(string argument)
    {
        var refused = await Assert.ThrowsAsync<DistributedApplicationException>(
            () => DistributedApplicationTestingBuilder.CreateAsync<Projects.StatusUpdates_AppHost>([argument], TestTime.Token));
        Assert.Contains(argument, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_launch_profile_that_runs_the_project_counts_without_its_https()
    {
        var profile = LaunchProfile.Parse("""
            {
              // comments are allowed
              "profiles": {
                "IIS": { "commandName": "IISExpress" },
                "web": { "commandName": "Project", "applicationUrl": "https://localhost:7001;http://localhost:5001", "environmentVariables": { "A": "b" } },
                "other": { "commandName": "Project" },
              }
            }
            """);

        Assert.NotNull(profile);
        Assert.Equal([new Uri("http://localhost:5001")], profile.Urls);
        Assert.Equal("b", profile.Environment["A"]);
    }

    [Fact]
    public void The_generated_classes_name_projects_and_assemblies_that_exist()
    {
        foreach (var type in typeof(Projects.StatusUpdates_AppHost).Assembly.GetTypes().Where(type => typeof(IProjectMetadata).IsAssignableFrom(type)))
        {
            var metadata = Assert.IsType<IProjectMetadata>(Activator.CreateInstance(type), exactMatch: false);
            Assert.True(File.Exists(metadata.ProjectPath), metadata.ProjectPath);
            Assert.True(File.Exists(metadata.AssemblyPath), metadata.AssemblyPath);
            Assert.Equal(Path.GetFileNameWithoutExtension(metadata.ProjectPath).Replace('.', '_'), type.Name);
        }

        Assert.True(Directory.Exists(Projects.StatusUpdates_AppHost.ProjectPath));
    }
}
#endif
