using System.Globalization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>The folder of one Postgres server: <c>data</c>, <c>password</c> (mode 600) and, while it runs, <c>server.json</c>.</summary>
internal sealed class PostgresDirectory(ServerDirectory folder, PostgresBinaries binaries, PostgresServerOptions options)
{
    private const string PasswordFile = "password";

    /// <summary>Fast, immediate, then SIGKILL. In total less than the 6 s that Aspire's orchestrator waits after SIGTERM.</summary>
    private static readonly StopStep[] StopSteps = [new(Posix.SigInt, TimeSpan.FromSeconds(4)), new(Posix.SigQuit, TimeSpan.FromSeconds(1))];

    public ServerDirectory Folder => folder;

    public PostgresBinaries Binaries => binaries;

    public string Data => DataIn(folder);

    public static async Task<PostgresDirectory> OpenAsync(PostgresServerOptions options, CancellationToken cancellationToken)
    {
        var folder = await ServerDirectory.OpenAsync(options.Directory, "native-postgres", UnixUser.ForServers(), StopSteps, cancellationToken);
        return new(folder, options.Binaries ?? await BinariesForAsync(DataIn(folder), cancellationToken), options);
    }

    /// <summary>Runs initdb unless there is data.</summary>
    /// <returns>The superuser's password: the proposed one, or that of the existing data.</returns>
    public async Task<string> InitializeAsync(string proposedPassword, CancellationToken cancellationToken)
    {
        if (MajorOf(Data) is { } major)
        {
            return major == binaries.Version.Major
                ? await File.ReadAllTextAsync(Path.Combine(folder.Path, PasswordFile), cancellationToken)
                : throw new InvalidOperationException(
                    $"The data in {Data} was created by PostgreSQL {major}, but {binaries.BinDirectory} has version {binaries.Version}. "
                    + $"Set {PostgresSearch.Variable} to the folder of PostgreSQL {major}'s programs, or delete {folder.Path} to start over.");
        }

        // An interrupted initdb leaves an incomplete cluster: create it in another folder, and move it into place once it is complete.
        var draft = Path.Combine(folder.Path, "data.new");
        if (Directory.Exists(draft))
        {
            Directory.Delete(draft, recursive: true);
        }

        // Order: initdb reads it from this file.
        var passwordFile = await SavePasswordAsync(proposedPassword, cancellationToken);

        // Without fsync nothing survives a crash of the machine anyway, and initdb need not wait for the disk either.
        string[] noSync = options.Settings.TryGetValue("fsync", out var fsync) && fsync == "off" ? ["--no-sync"] : [];
        var initDb = folder.SpecOf(
            binaries.InitDb,
            [
                "--pgdata", draft, "--username", options.UserName, "--pwfile", passwordFile, "--auth", "scram-sha-256",
                "--encoding", "UTF8", "--locale", "C", "--no-instructions", .. noSync,
            ]);
        await GuardedProcess.RunAsync(initDb with { StopSteps = [new StopStep(Posix.SigTerm, TimeSpan.FromSeconds(1))] }, cancellationToken);
        Directory.Move(draft, Data);
        return proposedPassword;
    }

    /// <summary>Stores the superuser's password, which the data contains only as a hash.</summary>
    /// <returns>The file's path.</returns>
    public Task<string> SavePasswordAsync(string password, CancellationToken cancellationToken) =>
        folder.WriteAsync(PasswordFile, password, cancellationToken);

    /// <summary>Stops a server that an earlier owner of the folder left running.</summary>
    public async Task StopLeftoverAsync(CancellationToken cancellationToken)
    {
        await folder.StopLeftoverAsync(cancellationToken);
        await LeftoverServer.StopPostmasterAsync(Data, StopSteps, cancellationToken);
    }

    /// <summary>The guard's spec for the server.</summary>
    public GuardSpec ServerSpec(int port)
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
        foreach (var (name, value) in options.Settings)
        {
            settings[name] = value;
        }

        return folder.SpecOf(binaries.Postgres, ["-D", Data, .. settings.SelectMany(setting => (string[])["-c", $"{setting.Key}={setting.Value}"])]);
    }

    private static string DataIn(ServerDirectory folder) => Path.Combine(folder.Path, "data");

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
        var file = Path.Combine(data, "PG_VERSION");
        return File.Exists(file) && int.TryParse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? major : null;
    }
}
