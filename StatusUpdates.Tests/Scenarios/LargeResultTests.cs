using System.Net.Sockets;
using System.Text;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.ResultStore;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.ResultStore;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>Results that are much larger than the memory that they may take.</summary>
[Long]
public sealed class LargeResultTests(TestServers servers, ITestOutputHelper output)
{
    private const int Readers = 100;
    private const int MiB = 1024 * 1024;

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_worker_killed_between_content_and_row_leaves_no_row_without_its_content_and_no_content_for_good()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        await using var worker = await WorkerProcess.StartWithAsync(TestProviders.Streaming, db, redis, ("Worker:Lease", "00:00:03"), ("Worker:PollInterval", "00:00:00.200"));

        // The row of the result cannot be written: everything before it can.
        await using var holder = await db.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await holder.BeginTransactionAsync(Token);
        await using (var hold = new Npgsql.NpgsqlCommand("LOCK TABLE generation_results IN SHARE MODE", holder, transaction))
        {
            await hold.ExecuteNonQueryAsync(Token);
        }

        await db.SubmitAsync("u", "product_card", cancellationToken: Token);
        await Eventually.TrueAsync(() => GenerationResultStoreTests.Files(db) is [{ Length: 32 }], everyMilliseconds: 50);
        var orphan = GenerationResultStoreTests.Files(db)[0];
        await worker.KillAsync();
        await db.UntilAsync("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '-- store result%')");
        await transaction.RollbackAsync(Token);
        Assert.Null(await db.Results.DescribeAsync(orphan, Token));

        // The next attempt, by another worker, stores its own.
        await using var other = await WorkerProcess.StartWithAsync(TestProviders.Streaming, db, redis, ("Worker:Lease", "00:00:03"), ("Worker:PollInterval", "00:00:00.200"));
        await db.UntilAsync("SELECT status = 'completed' FROM generations");
        var kept = (await db.ScalarAsync<string[]>("SELECT result_urls FROM generations", Token))!.Single()[^32..];
        Assert.Equal(TestProviders.StreamLength, (await db.Results.DescribeAsync(kept, Token))!.Length);

        await db.ExecuteAsync("UPDATE content_removals SET due_at = due_at - interval '1 day'", Token);
        await GenerationResultStoreTests.Removals(db, GenerationResultStoreTests.Folder(db)).RemoveAsync(RemovalPosition.Start, 10, Token);
        Assert.Equal([kept], GenerationResultStoreTests.Files(db));
    }

    [Fact]
    public async Task A_worker_stores_a_result_in_a_fraction_of_the_memory_that_it_has()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads /proc");
        await using var db = await servers.CreateDatabaseAsync(Token);
        await using var redis = await servers.ConnectRedisAsync();
        await using var worker = await WorkerProcess.StartWithAsync(TestProviders.Streaming, db, redis);
        await RunAsync();
        var before = PeakOf(worker.Process.Id);

        for (var i = 0; i < 3; i++)
        {
            await RunAsync();
        }

        var growth = (PeakOf(worker.Process.Id) - before) / MiB;
        output.WriteLine($"grown by {growth} MiB for results of {TestProviders.StreamLength / MiB} MiB");
        Assert.InRange(growth, 0, 31);

        async Task RunAsync()
        {
            var id = (await db.SubmitAsync("u", "product_card", cancellationToken: Token)).Generation.Id;
            await db.UntilAsync($"SELECT status = 'completed' FROM generations WHERE id = '{id}'");
        }
    }

    [Fact]
    public async Task A_hundred_readers_that_stop_reading_take_little_memory_and_the_others_are_served()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads /proc");
        await using var writer = await TestApi.StartAsync(servers);
        var id = await writer.Database.Results.SaveAsync("gen-1", "video/mp4", new PatternStream(64 * MiB), cancellationToken: Token);
        await using var api = await ApiProcess.StartAsync(writer, new Dictionary<string, string?>(Sockets.SmallBufferSettings)
        {
            ["RateLimits:ResultsPerAddress"] = "1000",
        });
        using var client = HttpClients.Create(api.Address);
        Assert.Equal(64 * MiB, (await client.GetByteArrayAsync($"/results/{id}", Token)).Length);
        var before = api.ResidentBytes;

        var stalled = new List<Socket>();
        try
        {
            for (var i = 0; i < Readers; i++)
            {
                stalled.Add(await BeginAsync(api.Address, id));
            }

            // What they hold is in flight; what the process holds for them has settled once another reader has had all of it.
            var whole = await client.GetByteArrayAsync($"/results/{id}", Token);
            Assert.True(PatternStream.Bytes(0, 64 * MiB).AsSpan().SequenceEqual(whole));
            var growth = (api.ResidentBytes - before) / MiB;
            output.WriteLine($"grown by {growth} MiB for {Readers} readers of 64 MiB");
            Assert.InRange(growth, -1000, 79);

            // They go on where they stopped.
            var part = new byte[5 * MiB];
            await new NetworkStream(stalled[7]).ReadExactlyAsync(part, Token);
            Assert.True(PatternStream.Bytes(0, part.Length).AsSpan().SequenceEqual(part));
        }
        finally
        {
            stalled.ForEach(socket => socket.Dispose());
        }
    }

    // Reads the headers and nothing after them.
    private static async Task<Socket> BeginAsync(Uri address, string id)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(address.Host, address.Port, Token);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /results/{id} HTTP/1.1\r\nHost: {address.Authority}\r\n\r\n"), Token);
        var one = new byte[1];
        var end = "";
        while (!end.EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            Assert.Equal(1, await socket.ReceiveAsync(one, Token));
            end += (char)one[0];
        }

        Assert.StartsWith("HTTP/1.1 200", end, StringComparison.Ordinal);
        return socket;
    }

    // The largest resident set so far, in bytes (VmHWM).
    private static long PeakOf(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture);
    }
}
