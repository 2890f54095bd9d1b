using System.Globalization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>An account that a server may run as when we are root: Postgres refuses root.</summary>
internal sealed record UnixUser(string Name, uint UserId, uint GroupId)
{
    private static readonly string[] Preferred = ["postgres", "nobody", "daemon"];

    /// <summary>Null unless we are root: an ordinary user runs everything as itself.</summary>
    /// <exception cref="InvalidOperationException">Root, and the machine has no other account.</exception>
    public static UnixUser? ForServers() =>
        Posix.IsRoot ? Choose(File.ReadLines("/etc/passwd")) : null;

    internal static UnixUser Choose(IEnumerable<string> passwd)
    {
        var users = passwd.Select(Parse).OfType<UnixUser>().Where(user => user.UserId != 0).ToList();
        foreach (var name in Preferred)
        {
            if (users.Find(user => user.Name == name) is { } preferred)
            {
                return preferred;
            }
        }

        return users.FirstOrDefault() ?? throw new InvalidOperationException(
            "PostgreSQL refuses to run as root, and /etc/passwd has no other user. Add one, for example: useradd --system postgres");
    }

    // name:password:uid:gid:… (passwd(5)); macOS writes nobody's ids as -2.
    private static UnixUser? Parse(string line)
    {
        var fields = line.Split(':');
        return fields.Length >= 4
            && long.TryParse(fields[2], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var user)
            && long.TryParse(fields[3], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var group)
            ? new UnixUser(fields[0], unchecked((uint)user), unchecked((uint)group))
            : null;
    }
}
