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
        Assert.True(builder.Resources.OfType<ParameterResource>().Single(parameter => parameter.Name == "jwt-signing-key").Secret);
    }

    [Fact]
    public void The_generated_signing_key_is_384_bits_in_base64()
    {
        var key = new GenerateParameterDefault { MinLength = 64, Special = false }.GetDefaultValue();

        Assert.Equal(48, Convert.FromBase64String(key).Length);
    }
}
