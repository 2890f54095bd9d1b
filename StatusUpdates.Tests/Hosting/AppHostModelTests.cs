namespace StatusUpdates.Tests.Hosting;

/// <summary>The app model itself; these tests need neither servers nor containers, on either engine.</summary>
public sealed class AppHostModelTests
{
    [Fact]
    public async Task The_model_has_the_servers_the_database_the_key_the_api_and_the_worker()
    {
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.StatusUpdates_AppHost>(TestTime.Token);

        string[] expected = ["api", "jwt-signing-key", "postgres", "redis", "statusdb", "worker"];
        var names = builder.Resources.Select(resource => resource.Name).ToHashSet();

        Assert.Superset(expected.ToHashSet(), names);
        Assert.DoesNotContain("bot", names);
        Assert.DoesNotContain("telegram-bot-token", names);
        Assert.True(builder.Resources.OfType<ParameterResource>().Single(parameter => parameter.Name == "jwt-signing-key").Secret);
    }

    [Theory]
    [InlineData("Parameters:telegram-bot-token")]
    [InlineData("Telegram:unrelated", false)]
    public async Task The_bot_is_part_of_the_model_where_it_has_a_token(string key, bool isPart = true)
    {
        await using var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.StatusUpdates_AppHost>(
            [$"--{key}=123456:a-token-that-is-one"], TestTime.Token);

        Assert.Equal(isPart, builder.Resources.Any(resource => resource.Name == "bot"));
        Assert.Equal(isPart, builder.Resources.OfType<ParameterResource>().Any(parameter => parameter is { Name: "telegram-bot-token", Secret: true }));
    }

    [Fact]
    public void The_generated_signing_key_is_384_bits_in_base64()
    {
        var key = new GenerateParameterDefault { MinLength = 64, Special = false }.GetDefaultValue();

        Assert.Equal(48, Convert.FromBase64String(key).Length);
    }
}
