using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

public sealed class PostgresSearchTests
{
    private readonly Dictionary<string, string> _environment = [];
    private readonly HashSet<string> _files = [];

    [Fact]
    public void The_configured_folder_takes_precedence_over_all_others()
    {
        Install("/usr/lib/postgresql/17/bin");
        Install("/opt/mine");
        _environment["POSTGRES_BIN"] = "/opt/mine";

        Assert.Equal(["/opt/mine"], Search());
    }

    [Fact]
    public void A_configured_folder_without_the_server_is_an_error_that_names_the_variable_and_the_folder()
    {
        Install("/usr/lib/postgresql/17/bin");
        _environment["POSTGRES_BIN"] = "/opt/empty";

        var error = Assert.Throws<PostgresNotFoundException>(Search);

        Assert.Contains("POSTGRES_BIN", error.Message, StringComparison.Ordinal);
        Assert.Contains("/opt/empty", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void PATH_comes_before_the_usual_folders_which_are_ordered_newest_first()
    {
        Install("/usr/lib/postgresql/9.6/bin");
        Install("/usr/lib/postgresql/15/bin");
        Install("/usr/lib/postgresql/17/bin");
        Install("/opt/homebrew/opt/postgresql@16/bin");
        Install("/home/me/bin");
        _environment["PATH"] = "/usr/bin:/home/me/bin";

        Assert.Equal(
            ["/home/me/bin", "/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/9.6/bin", "/opt/homebrew/opt/postgresql@16/bin"],
            Search());
    }

    [Fact]
    public void A_folder_with_client_programs_only_is_not_a_server()
    {
        _files.Add("/usr/bin/psql");
        _files.Add("/usr/bin/postgres");
        _environment["PATH"] = "/usr/bin";

        Assert.Empty(Search());
    }

    [Theory]
    [InlineData("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", 15, 18)]
    [InlineData("postgres (PostgreSQL) 18.4\n", 18, 4)]
    [InlineData("postgres (PostgreSQL) 19beta2\n", 19, 0)]
    public void The_version_is_read_from_the_program_s_output(string answer, int major, int minor) =>
        Assert.Equal(new Version(major, minor), PostgresBinaries.ParseVersion(answer));

    [Fact]
    public void Without_a_server_the_error_names_the_package_to_install()
    {
        Assert.Contains("apt install postgresql", PostgresNotFoundException.Describe(isMac: false, []), StringComparison.Ordinal);
        Assert.Contains("brew install postgresql", PostgresNotFoundException.Describe(isMac: true, []), StringComparison.Ordinal);
        Assert.Contains("13.4", PostgresNotFoundException.Describe(isMac: false, [new("/usr/lib/postgresql/13/bin", new Version(13, 4))]), StringComparison.Ordinal);
    }

    [Fact]
    public void Root_runs_servers_as_postgres_or_else_as_nobody_and_never_as_root()
    {
        string[] debian = ["root:x:0:0:root:/root:/bin/bash", "nobody:x:65534:65534::/:", "postgres:x:101:104::/var/lib/postgresql:/bin/bash"];

        Assert.Equal(new UnixUser("postgres", 101, 104), UnixUser.Choose(debian));
        Assert.Equal("nobody", UnixUser.Choose(debian[..2]).Name);
        Assert.Throws<InvalidOperationException>(() => UnixUser.Choose(debian[..1]));
    }

    private void Install(string bin)
    {
        _files.Add($"{bin}/postgres");
        _files.Add($"{bin}/initdb");
    }

    private List<string> Search() => PostgresSearch.Folders(
        name => _environment.GetValueOrDefault(name),
        _files.Contains,
        parent => _files.Where(file => file.StartsWith($"{parent}/", StringComparison.Ordinal)).Select(file => file[(parent.Length + 1)..].Split('/')[0]).Distinct());
}
