using System.Globalization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>An account for servers when this process is root: Postgres refuses to run as root.</summary>
internal sealed record UnixUser(string Name, uint UserId, uint GroupId)
{
    private static readonly string[] Preferred = ["postgres", "nobody", "daemon"];

    /// <summary>Null unless this process is root: a regular user's servers run under the user's own account.</summary>
    /// <exception cref="InvalidOperationException">The process is root, and the machine has no other account.</exception>
    public static UnixUser? ForServers() =>
        Environment.IsPrivilegedProcess ? Choose(File.ReadLines("/etc/passwd")) : null;

    internal static UnixUser Choose(IEnumerable<string> passwd)
    {
        var users = passwd.Select(Parse).OfType<UnixUser>().Where(user => user.UserId != 0).ToList();
        var preferred = Preferred.Select(name => users.Find(user => user.Name == name)).OfType<UnixUser>();
        return preferred.Concat(users).FirstOrDefault() ?? throw new InvalidOperationException(
            "PostgreSQL refuses to run as root, and /etc/passwd has no other user. Add one, for example: useradd --system postgres");
    }

    // name:password:uid:gid:… (passwd(5)); macOS writes the ids of user nobody as -2.
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
