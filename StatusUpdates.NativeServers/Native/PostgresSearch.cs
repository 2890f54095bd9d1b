using System.Globalization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>Where PostgreSQL's server programs may lie. A pure function of the environment and the file system it is given.</summary>
internal static class PostgresSearch
{
    public const string Variable = "POSTGRES_BIN";

    // Parent folder, what its children's names begin with, and the way from there to the programs.
    private static readonly (string Parent, string Prefix, string Bin)[] Installations =
    [
        ("/usr/lib/postgresql", "", "bin"),                       // Debian, Ubuntu
        ("/usr", "pgsql-", "bin"),                                // RPM packages of postgresql.org
        ("/opt/homebrew/opt", "postgresql", "bin"),               // Homebrew on Apple silicon
        ("/usr/local/opt", "postgresql", "bin"),                  // Homebrew on Intel
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),  // Homebrew on Linux
    ];

    /// <returns>Folders that hold both <c>postgres</c> and <c>initdb</c>, most wanted first.</returns>
    /// <exception cref="PostgresNotFoundException">POSTGRES_BIN is set and its folder lacks them: whoever set it wants no other.</exception>
    public static List<string> Folders(
        Func<string, string?> environment, Func<string, bool> fileExists, Func<string, IEnumerable<string>> subdirectories)
    {
        bool HasServer(string folder) => fileExists(Path.Combine(folder, "postgres")) && fileExists(Path.Combine(folder, "initdb"));

        if (environment(Variable) is { Length: > 0 } told)
        {
            return HasServer(told) ? [told] : throw new PostgresNotFoundException(
                $"{Variable} is {told}, but that folder does not hold postgres and initdb. Set it to the bin folder of PostgreSQL's server, or unset it.");
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

    // "17", "pgsql-16", "postgresql@15"; plain "postgresql" comes last.
    private static int MajorOf(string name) =>
        int.TryParse(string.Concat(name.SkipWhile(letter => !char.IsAsciiDigit(letter)).TakeWhile(char.IsAsciiDigit)), NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? major : 0;
}
