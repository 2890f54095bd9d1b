using System.Globalization;
using System.Net.Sockets;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Scenarios;

[Collection(WholeMachine.Name)]
public sealed class StalledReadersTests(TestServers servers)
{
    private const int Users = 10;
    private const int SocketsOfUser = 100;
    private const int Generations = 100;

    // Nobody is given up for being slow before the test says that its time is over.
    private static readonly TimeSpan Patience = TimeSpan.FromHours(1);

    // The whole scenario is 98, which is 10,000 updates of each user: gigabytes, if they were kept for who does not read.
    private static readonly int Rounds = ScenarioSize.Of("STATUSUPDATES_STALLED_ROUNDS", 18);

    private static long Last => Generations * (2 + (long)Rounds);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_thousand_readers_that_stop_cost_little_memory_and_no_update_theirs_or_anybodys()
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

        // What an instance needs to serve at all is not what a stalled reader costs.
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

        // Every second one reads again, on its connection. The others are cut off, and come back with what they have.
        var halves = stalled.Chunk(2 * Users).SelectMany(chunk => chunk.Select((reader, i) => (Reader: reader, Resumes: i < Users))).ToArray();
        await Task.WhenAll(halves.Where(half => half.Resumes).Select(half => half.Reader.ReadUntilAsync(Last)));
        await Task.WhenAll(apis.Select(api => api.SkipAsync(Patience)));
        await Task.WhenAll(halves.Where(half => !half.Resumes).Select((half, i) => ComeBackAsync(half.Reader, apis[i % 2])));

        stalled.ForEach(reader => reader.Dispose());
        healthy.ForEach(client => client.Dispose());
    }

    private static Dictionary<string, string?> SettingsOf() => new(Sockets.SmallBufferSettings)
    {
        ["Gateway:Connections:MaxConnectionsPerUser"] = "1000",

        // However long it takes until all are connected and blocked. Until it is blocked, a reader that stalls shows no sign of life either.
        ["Gateway:Connections:SendTimeout"] = Patience.ToString(),
        ["Gateway:WebSocket:PingInterval"] = Patience.ToString(),
        ["Gateway:WebSocket:PeerTimeout"] = (2 * Patience).ToString(),

        // Garbage that waits for its collection is no reader's cost: up to 4 MiB of it, not as much as this processor's cache holds.
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

    // A connection whose send is blocked has bytes in the system's queue that the peer has no room for. Nothing signals it.
    private static async Task UntilAllAreBlockedAsync(ApiProcess[] apis, List<StalledReader> stalled)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        while (ReadQueued(apis) is var queued && !stalled.TrueForAll(reader => queued.GetValueOrDefault(reader.Ports) > 0))
        {
            await timer.WaitForNextTickAsync(Token);
        }
    }

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

    private static async Task ComeBackAsync(StalledReader reader, ApiProcess api)
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
