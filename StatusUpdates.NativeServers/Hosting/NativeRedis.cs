using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.NativeServers.Hosting;

internal sealed class NativeRedis(RedisResource resource, NativeServerSettings settings) : INativeServer
{
    public string Name => "Redis";

    // Nothing to find: Garnet replaces a missing redis-server.
    public Task FindProgramsAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task<GuardSpec> PrepareAsync(int port, CancellationToken cancellationToken)
    {
        var password = resource.PasswordParameter is { } parameter ? await parameter.GetValueAsync(cancellationToken) : null;
        if (password?.Any(letter => letter is <= ' ' or > '~' or '"' or '\'' or ',' or '\\') == true)
        {
            throw new DistributedApplicationException(
                $"The password of {resource.Name} must be printable ASCII without spaces, quotes, backslashes or commas.");
        }

        var directory = await RedisDirectory.OpenAsync(new() { Directory = settings.DirectoryOf(resource.Name), Password = password }, cancellationToken);
        await directory.Folder.StopLeftoverAsync(cancellationToken);
        return await directory.ServerSpecAsync(port, cancellationToken);
    }
}
