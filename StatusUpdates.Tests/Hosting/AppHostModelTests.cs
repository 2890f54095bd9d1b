using StatusUpdates.NativeServers.Hosting;

namespace StatusUpdates.Tests.Hosting;

/// <summary>Tests of the app model itself; they start nothing.</summary>
public sealed class AppHostModelTests
{
    [Fact]
    public async Task The_model_has_the_servers_the_database_the_key_the_api_and_the_worker()
    {
        await using var host = await TestAppHost.CreateAsync(TestTime.Token);

        string[] expected = ["api", "jwt-signing-key", "postgres", "redis", "statusdb", "worker"];
        var names = host.Resources.Select(resource => resource.Name).ToHashSet();

        // Without a token there is no bot. Aspire creates the parameters of the servers' passwords itself, without descriptions.
        Assert.Superset(expected.ToHashSet(), names);
        Assert.DoesNotContain("bot", names);
        Assert.DoesNotContain("telegram-bot-token", names);
        Assert.True(host.Resources.OfType<ParameterResource>().Single(parameter => parameter.Name == "jwt-signing-key").Secret);
        Assert.All(host.Resources.OfType<ParameterResource>().Where(parameter => !parameter.Name.EndsWith("-password", StringComparison.Ordinal)), parameter => Assert.NotEmpty(parameter.Description ?? ""));
        Assert.Equal(2, host.Resources.OfType<ProjectResource>().Single(project => project.Name == "worker").GetReplicaCount());
    }

    [Fact]
    public async Task Servers_are_containers_if_so_configured_and_otherwise_native_processes_with_the_same_names()
    {
        await using var containers = await TestAppHost.CreateAsync(TestTime.Token, "--NativeServers:Mode=Never");
        await using var native = await TestAppHost.CreateAsync(TestTime.Token);

        Assert.Equal(["postgres", "redis"], containers.Resources.OfType<ContainerResource>().Select(resource => resource.Name).Order());
        Assert.Empty(containers.Resources.OfType<NativeServerResource>());
        Assert.Empty(native.Resources.OfType<ContainerResource>());
        Assert.Equal(["postgres", "redis"], native.Resources.OfType<NativeServerResource>().Select(resource => resource.Name).Order());
    }

    [Theory]
    [InlineData("Parameters:telegram-bot-token")]
    [InlineData("TELEGRAM_BOT_TOKEN")]
    [InlineData("Telegram:unrelated", false)]
    public async Task The_bot_is_part_of_the_model_only_if_it_has_a_token(string key, bool isPart = true)
    {
        await using var host = await TestAppHost.CreateAsync(TestTime.Token, $"--{key}=123456:a-token-that-is-one");

        Assert.Equal(isPart, host.Resources.Any(resource => resource.Name == "bot"));
        Assert.Equal(isPart, host.Resources.OfType<ParameterResource>().Any(parameter => parameter is { Name: "telegram-bot-token", Secret: true }));
    }

    [Fact]
    public async Task The_native_servers_sample_is_the_program_that_their_README_shows()
    {
        // The folder of all projects: ProjectPath is the AppHost's own folder.
        var root = Path.GetFullPath("..", Projects.StatusUpdates_AppHost.ProjectPath);
        var readme = await File.ReadAllTextAsync(Path.Combine(root, "StatusUpdates.NativeServers", "README.md"), TestTime.Token);
        var program = await File.ReadAllTextAsync(Path.Combine(root, "samples", "NativeServers", "Program.cs"), TestTime.Token);

        Assert.Contains($"```csharp\n{program}```", readme, StringComparison.Ordinal);
    }

    // The arguments are those of jwt-signing-key in AppHost.cs. HS256 needs at least 256 bits.
    [Fact]
    public void The_generated_signing_key_is_384_bits_in_base64()
    {
        var key = new GenerateParameterDefault { MinLength = 64, Special = false }.GetDefaultValue();

        Assert.Equal(48, Convert.FromBase64String(key).Length);
    }
}
