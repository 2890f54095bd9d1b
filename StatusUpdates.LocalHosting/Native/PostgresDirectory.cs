using System.Globalization;
using IOPath = System.IO.Path;

namespace StatusUpdates.LocalHosting.Native;

/// <summary>The folder of one Postgres server: <c>data</c>, <c>password</c> (mode 600) and, while it runs, <c>server.json</c>.</summary>
internal sealed class PostgresDirectory
{
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

    public string StateFile => StateFileIn(Path);

    public UnixUser? User { get; }

    public PostgresBinaries Binaries { get; }

    /// <summary>What nobody will miss when our process is gone; null for nothing.</summary>
    public string? TemporaryDirectory => _options.TemporaryDirectory ?? (IsTemporary ? _wanted : null);

    public bool IsTemporary => _options.Directory is null;

    private string PasswordFile => IOPath.Combine(Path, "password");

    public static async Task<PostgresDirectory> OpenAsync(PostgresServerOptions options, CancellationToken cancellationToken)
    {
        var user = UnixUser.ForServers();
        var wanted = options.Directory ?? IOPath.Combine(IOPath.GetTempPath(), $"status-updates-pg-{IOPath.GetRandomFileName()}");
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

        await PrivateFile.WriteAsync(PasswordFile, proposedPassword, cancellationToken);
        if (User is not null)
        {
            Posix.ChangeOwner(PasswordFile, User);
        }

        string[] durable = _options.Settings.TryGetValue("fsync", out var fsync) && fsync == "off" ? ["--no-sync"] : [];
        await GuardedProcess.RunAsync(
            new GuardSpec
            {
                FileName = Binaries.InitDb,
                Arguments =
                [
                    "--pgdata", draft, "--username", "postgres", "--pwfile", PasswordFile, "--auth", "scram-sha-256",
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

    public static async Task StopLeftoverAsync(string path, IReadOnlyList<StopStep> steps, CancellationToken cancellationToken)
    {
        await LeftoverServer.StopAsync(StateFileIn(path), steps, cancellationToken);
        await LeftoverServer.StopPostmasterAsync(DataIn(path), steps, cancellationToken);
    }

    public void DeleteIfTemporary()
    {
        if (IsTemporary)
        {
            ServerFolder.Delete(_wanted);
        }
    }

    private static string DataIn(string path) => IOPath.Combine(path, "data");

    private static string StateFileIn(string path) => IOPath.Combine(path, "server.json");

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
