using System.Globalization;
using System.Net.Sockets;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Scenarios;

[Long]
[Collection(WholeMachine.Name)]
public sealed class StalledReadersTests(TestServers servers)
{
    private const int Users = 10;
    private const int SocketsOfUser = 100;
    private const int Generations = 100;

    // No connection is closed for being slow before the test skips this time.
    private static readonly TimeSpan Patience = TimeSpan.FromHours(1);

    // 98 are 10,000 updates of each user: gigabytes, if they were kept for readers that do not read.
    private static readonly int Rounds = ScenarioSize.Of(small: 18, full: 98);

    private static long Last => Generations * (2 + (long)Rounds);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_thousand_stalled_readers_use_little_memory_and_no_reader_misses_an_update()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads /proc");
        await using var writer = await TestApi.StartAsync(servers);
        await using var first = await ApiProcess.StartWithSkippedTimeAsync(writer, SettingsOf());
        await using var second = await ApiProcess.StartWithSkippedTimeAsync(writer, SettingsOf());
        ApiProcess[] apis = [first, second];

        var stalled = new List<StalledReader>();
        for (var i = 0; i < Users * SocketsOfUser; i++)
        {
            stalled.Add(await StalledReader.ConnectAsync(apis[i % 2].Address, $"user-{i % Users}", 0, receiveBuffer: 4096));
        }

        var healthy = new List<Follower>();
        for (var i = 0; i < Users * 10; i++)
        {
            healthy.Add(await Follower.ConnectAsync(apis[i % 2].Address, $"user-{i % Users}", 0));
        }

        // The memory that an instance needs to serve at all is not the cost of a stalled reader.
        await WarmUpAsync(writer, apis);
        var before = apis.Select(api => api.ResidentBytes).ToArray();

        var reading = Task.WhenAll(healthy.Select(client => client.ReadUntilAsync(Last)));
        var jobs = new List<Job[]>();
        for (var user = 0; user < Users; user++)
        {
            jobs.Add(await Job.StartAsync(writer, $"user-{user}", Generations));
        }

        await Task.WhenAny(reading, Task.WhenAll(jobs.Select(ofUser => WriteAsync(writer, ofUser))));
        await reading;

        await UntilAllAreBlockedAsync(apis, stalled);
        var growth = apis.Select((api, i) => (api.ResidentBytes - before[i]) / 1024 / 1024).ToArray();
        TestContext.Current.TestOutputHelper?.WriteLine($"grown by {string.Join(" and ", growth)} MiB");
        Assert.All(growth, megabytes => Assert.InRange(megabytes, long.MinValue, 49));

        // Half of them read again, on their connections. The others are disconnected and reconnect with their positions.
        var halves = stalled.Chunk(2 * Users).SelectMany(chunk => chunk.Select((reader, i) => (Reader: reader, Resumes: i < Users))).ToArray();
        await Task.WhenAll(halves.Where(half => half.Resumes).Select(half => half.Reader.ReadUntilAsync(Last)));
        await Task.WhenAll(apis.Select(api => api.SkipAsync(Patience)));
        await Task.WhenAll(halves.Where(half => !half.Resumes).Select((half, i) => ReconnectAsync(half.Reader, apis[i % 2])));

        stalled.ForEach(reader => reader.Dispose());
        healthy.ForEach(client => client.Dispose());
    }

    private static Dictionary<string, string?> SettingsOf() => new(Sockets.SmallBufferSettings)
    {
        ["Gateway:Connections:MaxConnectionsPerUser"] = "1000",

        // Long enough for all to be connected and blocked. Until it is blocked, a stalled reader does not respond to pings either.
        ["Gateway:Connections:SendTimeout"] = Patience.ToString(),
        ["Gateway:Connections:PingInterval"] = Patience.ToString(),
        ["Gateway:Connections:PeerTimeout"] = (2 * Patience).ToString(),

        // Garbage that is not collected yet is not the cost of a reader: at most 4 MiB of it, not as much as this processor's cache holds.
        ["DOTNET_GCgen0size"] = "400000",
    };

    private static async Task WriteAsync(TestApi writer, Job[] jobs)
    {
        for (var round = 0; round < Rounds; round++)
        {
            await writer.UpdateAsync([.. jobs.Select(job => job.Change(progress: round))]);
        }
    }

    private static async Task WarmUpAsync(TestApi writer, ApiProcess[] apis)
    {
        const int Updates = 300;
        var job = Assert.Single(await Job.StartAsync(writer, "warm-up", 1));
        for (var i = 0; i < Updates; i++)
        {
            await writer.UpdateAsync(job.Change(progress: i / 3));
        }

        foreach (var api in apis)
        {
            using var client = await Follower.ConnectAsync(api.Address, "warm-up", 0);
            await client.ReadUntilAsync(Updates);
        }
    }

    // A connection with a blocked send has bytes in the system's queue for which the peer has no room. There is no event for this.
    private static Task UntilAllAreBlockedAsync(ApiProcess[] apis, List<StalledReader> stalled) => Eventually.TrueAsync(
        () => ReadQueued(apis) is var queued && stalled.TrueForAll(reader => queued.GetValueOrDefault(reader.Ports) > 0), everyMilliseconds: 200);

    // /proc/net/tcp: local and remote address, state, tx_queue:rx_queue, all in hexadecimal.
    private static Dictionary<(int Server, int Client), long> ReadQueued(ApiProcess[] apis)
    {
        var ports = apis.Select(api => api.Address.Port).ToHashSet();
        var queued = new Dictionary<(int Server, int Client), long>();
        foreach (var line in File.ReadLines("/proc/net/tcp").Skip(1))
        {
            var columns = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (ports.Contains(PortOf(columns[1])) && columns[3] == "01")
            {
                queued[(PortOf(columns[1]), PortOf(columns[2]))] = long.Parse(columns[4].Split(':')[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            }
        }

        return queued;

        static int PortOf(string address) => int.Parse(address.Split(':')[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }

    private static async Task ReconnectAsync(StalledReader reader, ApiProcess api)
    {
        await Assert.ThrowsAsync<SocketException>(async () =>
        {
            await reader.UntilCutAsync();
            await reader.ReadUntilAsync(Last);
        });
        using var again = await StalledReader.ConnectAsync(api.Address, reader.UserId, reader.Last, receiveBuffer: 256 * 1024);
        await again.ReadUntilAsync(Last);
    }
}
