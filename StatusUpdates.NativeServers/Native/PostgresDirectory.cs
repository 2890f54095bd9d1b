using System.Globalization;
using IOPath = System.IO.Path;

namespace StatusUpdates.NativeServers.Native;

/// <summary>The folder of one Postgres server: <c>data</c>, <c>password</c> (mode 600) and, while it runs, <c>server.json</c>.</summary>
internal sealed class PostgresDirectory
{
    /// <summary>How a guard stops it: fast, then at once, then by force. In all less than the 6 s that Aspire's orchestrator waits after SIGTERM.</summary>
    private static readonly StopStep[] StopSteps = [new(Posix.SigInt, TimeSpan.FromSeconds(4)), new(Posix.SigQuit, TimeSpan.FromSeconds(1))];

    private readonly string _wanted;
    private readonly PostgresServerOptions _options;

    private PostgresDirectory(string wanted, string path, UnixUser? user, PostgresBinaries binaries, PostgresServerOptions options)
    {
        _wanted = wanted;
        Path = path;
        User = user;
        Binaries = binaries;
        _options = options;
    }

    public string Path { get; }

    public string Data => DataIn(Path);

    public string StateFile => IOPath.Combine(Path, "server.json");

    public UnixUser? User { get; }

    public PostgresBinaries Binaries { get; }

    /// <summary>What nobody will miss when our process is gone; null for nothing.</summary>
    public string? TemporaryDirectory => _options.TemporaryDirectory ?? (IsTemporary ? _wanted : null);

    public bool IsTemporary => _options.Directory is null;

    /// <summary>Written by <see cref="KeepPasswordAsync"/>.</summary>
    private string PasswordFile => IOPath.Combine(Path, "password");

    public static async Task<PostgresDirectory> OpenAsync(PostgresServerOptions options, CancellationToken cancellationToken)
    {
        var user = UnixUser.ForServers();
        var wanted = options.Directory ?? IOPath.Combine(IOPath.GetTempPath(), $"native-postgres-{IOPath.GetRandomFileName()}");
        var path = await ServerFolder.PrepareAsync(wanted, user, cancellationToken);
        var binaries = options.Binaries ?? await BinariesForAsync(DataIn(path), cancellationToken);
        return new PostgresDirectory(wanted, path, user, binaries, options);
    }

    /// <summary>Runs initdb unless there is data.</summary>
    /// <returns>The superuser's password: the proposed one, or the one that the data was made with.</returns>
    public async Task<string> InitialiseAsync(string proposedPassword, CancellationToken cancellationToken)
    {
        if (MajorOf(Data) is { } major)
        {
            return major == Binaries.Version.Major
                ? await File.ReadAllTextAsync(PasswordFile, cancellationToken)
                : throw new InvalidOperationException(
                    $"The data in {Data} was made by PostgreSQL {major}, and {Binaries.BinDirectory} has {Binaries.Version}. "
                    + $"Set {PostgresSearch.Variable} to the folder of PostgreSQL {major}'s programs, or delete {Path} to begin anew.");
        }

        // An initdb that is cut off leaves half a cluster: make it beside, and move it in place when it is whole.
        var draft = IOPath.Combine(Path, "data.new");
        if (Directory.Exists(draft))
        {
            Directory.Delete(draft, recursive: true);
        }

        await KeepPasswordAsync(proposedPassword, cancellationToken);
        string[] durable = _options.Settings.TryGetValue("fsync", out var fsync) && fsync == "off" ? ["--no-sync"] : [];
        await GuardedProcess.RunAsync(
            new GuardSpec
            {
                FileName = Binaries.InitDb,
                Arguments =
                [
                    "--pgdata", draft, "--username", _options.UserName, "--pwfile", PasswordFile, "--auth", "scram-sha-256",
                    "--encoding", "UTF8", "--locale", "C", "--no-instructions", .. durable,
                ],
                WorkingDirectory = Path,
                UserName = User?.Name,
                StateFile = StateFile,
                TemporaryDirectory = TemporaryDirectory,
                StopSteps = [new StopStep(Posix.SigTerm, TimeSpan.FromSeconds(1))],
            },
            output: null,
            cancellationToken);
        Directory.Move(draft, Data);
        return proposedPassword;
    }

    /// <summary>Remembers the superuser's password, which the data holds as a hash alone.</summary>
    public async Task KeepPasswordAsync(string password, CancellationToken cancellationToken)
    {
        await PrivateFile.WriteAsync(PasswordFile, password, cancellationToken);
        if (User is not null)
        {
            Posix.ChangeOwner(PasswordFile, User);
        }
    }

    /// <summary>Stops a server that an earlier owner of the folder left running.</summary>
    public async Task StopLeftoverAsync(CancellationToken cancellationToken)
    {
        await LeftoverServer.StopAsync(StateFile, StopSteps, cancellationToken);
        await LeftoverServer.StopPostmasterAsync(Data, StopSteps, cancellationToken);
    }

    /// <summary>How a guard runs the server.</summary>
    public GuardSpec ServerSpec(int port) => new()
    {
        FileName = Binaries.Postgres,
        Arguments = Arguments(port),
        WorkingDirectory = Path,
        UserName = User?.Name,
        StateFile = StateFile,
        TemporaryDirectory = TemporaryDirectory,
        StopSteps = StopSteps,
    };

    public void DeleteIfTemporary()
    {
        if (IsTemporary)
        {
            ServerFolder.Delete(_wanted);
        }
    }

    private List<string> Arguments(int port)
    {
        var settings = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["listen_addresses"] = "127.0.0.1",
            ["port"] = port.ToString(CultureInfo.InvariantCulture),
            ["unix_socket_directories"] = "",   // paths of sockets are limited to about 100 bytes; nobody needs one here
            ["dynamic_shared_memory_type"] = "mmap", // files of the data folder: a kill leaves nothing behind in /dev/shm
            ["timezone"] = "UTC",
            ["log_timezone"] = "UTC",
        };
        foreach (var (name, value) in _options.Settings)
        {
            settings[name] = value;
        }

        return ["-D", Data, .. settings.SelectMany(setting => (string[])["-c", $"{setting.Key}={setting.Value}"])];
    }

    private static string DataIn(string path) => IOPath.Combine(path, "data");

    // Data can be read only by the major version that made it, so a newer installation must not take its place.
    private static async Task<PostgresBinaries> BinariesForAsync(string data, CancellationToken cancellationToken)
    {
        var first = await PostgresBinaries.FindAsync(cancellationToken);
        if (MajorOf(data) is not { } major || first.Version.Major == major)
        {
            return first;
        }

        var all = await PostgresBinaries.FindAllAsync(cancellationToken);
        return all.FirstOrDefault(binaries => binaries.Version.Major == major) ?? first;
    }

    private static int? MajorOf(string data)
    {
        var file = IOPath.Combine(data, "PG_VERSION");
        return File.Exists(file) && int.TryParse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? major : null;
    }
}
