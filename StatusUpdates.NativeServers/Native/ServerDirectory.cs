using IOPath = System.IO.Path;

namespace StatusUpdates.NativeServers.Native;

/// <summary>The folder of one server. While the server runs, <c>server.json</c> in it holds the <see cref="GuardState"/>.</summary>
/// <param name="RequestedPath">
/// Where the folder was asked for. If the server's account cannot reach that, it is a link to <paramref name="Path"/>: see <see cref="ServerFolder"/>.
/// </param>
/// <param name="Path">The folder's real path.</param>
/// <param name="IsTemporary">Whether the folder is deleted with the server; if this process dies, by the guard.</param>
/// <param name="User">The account that the server runs as; null for this process's own.</param>
/// <param name="StopSteps">How a guard stops the server.</param>
internal sealed record ServerDirectory(string RequestedPath, string Path, bool IsTemporary, UnixUser? User, IReadOnlyList<StopStep> StopSteps)
{
    private string StateFile => IOPath.Combine(Path, "server.json");

    /// <summary>Creates the folder if necessary. Without a path it is a temporary one, with the kind of server in its name.</summary>
    public static async Task<ServerDirectory> OpenAsync(
        string? path, string kind, UnixUser? user, IReadOnlyList<StopStep> stopSteps, CancellationToken cancellationToken)
    {
        var requestedPath = path ?? IOPath.Combine(IOPath.GetTempPath(), $"{kind}-{IOPath.GetRandomFileName()}");
        return new(requestedPath, await ServerFolder.PrepareAsync(requestedPath, user, cancellationToken), path is null, user, stopSteps);
    }

    /// <summary>The guard's spec for a program that runs in this folder.</summary>
    public GuardSpec SpecOf(string program, IReadOnlyList<string> arguments) => new()
    {
        FileName = program,
        Arguments = arguments,
        WorkingDirectory = Path,
        UserName = User?.Name,
        StateFile = StateFile,
        TemporaryDirectory = IsTemporary ? RequestedPath : null,
        StopSteps = StopSteps,
    };

    /// <summary>Stops a server that an earlier owner of the folder left running.</summary>
    public Task StopLeftoverAsync(CancellationToken cancellationToken) => LeftoverServer.StopAsync(StateFile, StopSteps, cancellationToken);

    /// <summary>Writes a file in the folder that only the server's account may read.</summary>
    /// <returns>The file's path.</returns>
    public async Task<string> WriteAsync(string name, string text, CancellationToken cancellationToken)
    {
        var file = IOPath.Combine(Path, name);
        await PrivateFile.WriteAsync(file, text, cancellationToken);
        if (User is not null)
        {
            Posix.ChangeOwner(file, User);
        }

        return file;
    }

    public void DeleteIfTemporary()
    {
        if (IsTemporary)
        {
            ServerFolder.Delete(RequestedPath);
        }
    }
}
