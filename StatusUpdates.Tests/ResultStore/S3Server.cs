using System.Diagnostics;
using System.Globalization;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.ResultStore;
using StatusUpdates.Tests.EndToEnd;
using StatusUpdates.Tests.ResultStore;

[assembly: AssemblyFixture(typeof(S3Server))]

namespace StatusUpdates.Tests.ResultStore;

/// <summary>A real server that speaks S3, which all tests share; started on first use. Skips the test where there is no Node.js.</summary>
public sealed class S3Server : IAsyncDisposable
{
    public const string Bucket = "results";

    /// <summary>The id and the secret of its access key.</summary>
    public const string Key = "S3RVER";

    private readonly Lazy<Task<Server>> _server = new(StartAsync);

    public async Task<Uri> AddressAsync() => (await _server.Value).Address;

    /// <summary>The settings of its bucket.</summary>
    public async Task<S3Options> OptionsAsync() => Options(await AddressAsync());

    /// <summary>The settings of its bucket, under another address.</summary>
    public static S3Options Options(Uri address) =>
        new() { Bucket = Bucket, Endpoint = address.GetLeftPart(UriPartial.Authority), AccessKey = Key, SecretKey = Key };

    public async ValueTask DisposeAsync()
    {
        if (_server is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
        {
            var server = await _server.Value;
            await server.Process.DisposeAsync();
            server.Folder.Dispose();
        }
    }

    private static async Task<Server> StartAsync()
    {
        await NodeProgram.InstalledAsync();
        var address = LoopbackPort.FindFreeAddress();
        var folder = new TemporaryFolder();
        var process = new NodeProcess(address.Port, folder.Path);
        await process.StartAsync();
        return new Server(process, folder, address);
    }

    private sealed record Server(NodeProcess Process, TemporaryFolder Folder, Uri Address);

    private sealed class NodeProcess(int port, string folder) : ConsoleProcess(
        new ProcessStartInfo("node", ["s3-server.mjs", port.ToString(CultureInfo.InvariantCulture), folder, Bucket]) { WorkingDirectory = NodeProgram.Folder },
        "ready");
}
