using System.Globalization;
using IOPath = System.IO.Path;

namespace StatusUpdates.NativeServers.Native;

/// <summary>The folder of one Postgres server: <c>data</c>, <c>password</c> (mode 600) and, while it runs, <c>server.json</c>.</summary>
internal sealed class PostgresDirectory
{
    /// <summary>How a guard stops it: fast, immediate, then SIGKILL. In total less than the 6 s that Aspire's orchestrator waits after SIGTERM.</summary>
    private static readonly StopStep[] StopSteps = [new(Posix.SigInt, TimeSpan.FromSeconds(4)), new(Posix.SigQuit, TimeSpan.FromSeconds(1))];

    // Where the folder was asked for. If the server's account cannot reach that, it is a link to Path: see ServerFolder.
    private readonly string _requestedPath;
    private readonly PostgresServerOptions _options;

    private PostgresDirectory(string requestedPath, string path, UnixUser? user, PostgresBinaries binaries, PostgresServerOptions options)
    {
        _requestedPath = requestedPath;
        Path = path;
        User = user;
        Binaries = binaries;
        _options = options;
    }

    /// <summary>The folder's real path.</summary>
    public string Path { get; }

    public string Data => DataIn(Path);

    public string StateFile => IOPath.Combine(Path, "server.json");

    /// <summary>The account that the server runs as; null for this process's own.</summary>
    public UnixUser? User { get; }

    public PostgresBinaries Binaries { get; }

    /// <summary>The folder that the guard deletes if this process dies; null for none.</summary>
    public string? TemporaryDirectory => _options.TemporaryDirectory ?? (IsTemporary ? _requestedPath : null);

    public bool IsTemporary => _options.Directory is null;

    /// <summary>Written by <see cref="SavePasswordAsync"/>.</summary>
    private string PasswordFile => IOPath.Combine(Path, "password");

    public static async Task<PostgresDirectory> OpenAsync(PostgresServerOptions options, CancellationToken cancellationToken)
    {
        var user = UnixUser.ForServers();
        var requestedPath = options.Directory ?? IOPath.Combine(IOPath.GetTempPath(), $"native-postgres-{IOPath.GetRandomFileName()}");
        var path = await ServerFolder.PrepareAsync(requestedPath, user, cancellationToken);
        var binaries = options.Binaries ?? await BinariesForAsync(DataIn(path), cancellationToken);
        return new PostgresDirectory(requestedPath, path, user, binaries, options);
    }

    /// <summary>Runs initdb unless there is data.</summary>
    /// <returns>The superuser's password: the proposed one, or that of the existing data.</returns>
    public async Task<string> InitializeAsync(string proposedPassword, CancellationToken cancellationToken)
    {
        if (MajorOf(Data) is { } major)
        {
            return major == Binaries.Version.Major
                ? await File.ReadAllTextAsync(PasswordFile, cancellationToken)
                : throw new InvalidOperationException(
                    $"The data in {Data} was created by PostgreSQL {major}, but {Binaries.BinDirectory} has version {Binaries.Version}. "
                    + $"Set {PostgresSearch.Variable} to the folder of PostgreSQL {major}'s programs, or delete {Path} to start over.");
        }

        // An interrupted initdb leaves an incomplete cluster: create it in another folder, and move it into place once it is complete.
        var draft = IOPath.Combine(Path, "data.new");
        if (Directory.Exists(draft))
        {
            Directory.Delete(draft, recursive: true);
        }

        // Order: initdb reads it from this file.
        await SavePasswordAsync(proposedPassword, cancellationToken);

        // Without fsync nothing survives a crash of the machine anyway, and initdb need not wait for the disk either.
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

    /// <summary>Stores the superuser's password, which the data contains only as a hash.</summary>
    public async Task SavePasswordAsync(string password, CancellationToken cancellationToken)
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

    /// <summary>The guard's spec for the server.</summary>
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
            ServerFolder.Delete(_requestedPath);
        }
    }

    private List<string> Arguments(int port)
    {
        var settings = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["listen_addresses"] = "127.0.0.1",
            ["port"] = port.ToString(CultureInfo.InvariantCulture),
            ["unix_socket_directories"] = "",   // not needed, and socket paths are limited to about 100 bytes
            ["dynamic_shared_memory_type"] = "mmap", // files in the data folder: after SIGKILL nothing is left in /dev/shm
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

    // Only the major version that created the data can read it: a newer installation must not replace it.
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

    // Null if there is no data. initdb writes this file, and only a complete folder is moved here.
    private static int? MajorOf(string data)
    {
        var file = IOPath.Combine(data, "PG_VERSION");
        return File.Exists(file) && int.TryParse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? major : null;
    }
}
