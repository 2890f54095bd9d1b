using System.Globalization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>Finds folders with PostgreSQL's server programs. A pure function of the given environment and file system.</summary>
internal static class PostgresSearch
{
    public const string Variable = "POSTGRES_BIN";

    // Parent folder, name prefix of its subfolders, and the path from there to the programs.
    private static readonly (string Parent, string Prefix, string Bin)[] Installations =
    [
        ("/usr/lib/postgresql", "", "bin"),                       // Debian, Ubuntu
        ("/usr", "pgsql-", "bin"),                                // RPM packages of postgresql.org
        ("/opt/homebrew/opt", "postgresql", "bin"),               // Homebrew on Apple silicon
        ("/usr/local/opt", "postgresql", "bin"),                  // Homebrew on Intel
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),  // Homebrew on Linux
    ];

    /// <returns>Folders with both <c>postgres</c> and <c>initdb</c>, in order of preference.</returns>
    /// <exception cref="PostgresNotFoundException">POSTGRES_BIN is set, but its folder lacks them. An explicit setting rules out all other folders.</exception>
    public static List<string> Folders(
        Func<string, string?> environment, Func<string, bool> fileExists, Func<string, IEnumerable<string>> subdirectories)
    {
        bool HasServer(string folder) => fileExists(Path.Combine(folder, "postgres")) && fileExists(Path.Combine(folder, "initdb"));

        if (environment(Variable) is { Length: > 0 } configured)
        {
            return HasServer(configured) ? [configured] : throw new PostgresNotFoundException(
                $"{Variable} is {configured}, but that folder does not contain postgres and initdb. Set it to the bin folder of a PostgreSQL server, or unset it.");
        }

        var path = (environment("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        var installed = Installations.SelectMany(place =>
            subdirectories(place.Parent)
                .Where(name => name.StartsWith(place.Prefix, StringComparison.Ordinal))
                .OrderByDescending(MajorOf)
                .Select(name => Path.Combine(place.Parent, name, place.Bin)));
        return [.. path.Concat(installed).Where(HasServer).Distinct()];
    }

    public static IEnumerable<string> SubdirectoriesOnDisk(string folder) =>
        Directory.Exists(folder) ? Directory.EnumerateDirectories(folder).Select(each => Path.GetFileName(each)) : [];

    // From "17", "pgsql-16" or "postgresql@15"; plain "postgresql" sorts last.
    private static int MajorOf(string name) =>
        int.TryParse(string.Concat(name.SkipWhile(letter => !char.IsAsciiDigit(letter)).TakeWhile(char.IsAsciiDigit)), NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? major : 0;
}
