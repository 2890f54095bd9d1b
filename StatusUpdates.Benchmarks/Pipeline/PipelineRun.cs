using System.Diagnostics;
using System.Globalization;
using Npgsql;
using StatusUpdates.Benchmarks.Latency;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Pipeline;

/// <summary>One worker, one API, and a client with one socket for each user.</summary>
internal sealed class PipelineRun(BenchmarkSystem system, ServerProcess worker, ServerProcess api, IReadOnlyList<LoadUser> users)
{
    private const int BufferSize = 64 * 1024;
    private const int SlackPerUser = 64;

    /// <summary>Runs a command in the worker while all clients listen.</summary>
    /// <param name="command">The path of the command.</param>
    /// <param name="warmUp">The initial time that is not measured.</param>
    /// <param name="maxUpdates">The maximum number of updates.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<PipelineFigures> RunAsync(string command, TimeSpan warmUp, int maxUpdates, CancellationToken cancellationToken)
    {
        await ReadHeadsAsync(cancellationToken);
        var receipts = users.ToDictionary(
            user => user.Id, user => new ReceiptTimes(user.Head, (maxUpdates / users.Count) + SlackPerUser), StringComparer.Ordinal);
        await using var followers = new Followers();
        await followers.OpenAsync(api.Address, users, system.Token, BufferSize, cancellationToken, receipts);

        var (cpu, workerCpu, started) = (system.ReadCpu(api), worker.ProcessorSeconds(), Stopwatch.GetTimestamp());
        var response = await worker.PostAsync(command, cancellationToken);
        await ReadHeadsAsync(cancellationToken);
        await followers.WhenCaughtUpAsync(cancellationToken);
        var (used, workerUsed, took) = (system.ReadCpu(api) - cpu, worker.ProcessorSeconds() - workerCpu, Stopwatch.GetElapsedTime(started).TotalSeconds);
        followers.ThrowIfFailed();

        var returns = new List<double>();
        var from = started + (long)(warmUp.TotalSeconds * Stopwatch.Frequency);
        var counted = 0;
        foreach (var line in response.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var fields = line.Split(' ');
            var (seq, start, end) = (Number(fields[1]), Number(fields[2]), Number(fields[3]));
            receipts[fields[0]].RecordCommitted(seq, start);
            if (start >= from)
            {
                counted++;
                returns.Add(Milliseconds(end - start));
            }
        }

        // DurationsSince goes by seq, whose order within a user may differ from that of the calls: it must cover all updates of the window.
        var toReceipt = receipts.Values.SelectMany(times => times.DurationsSince(from)).Select(Milliseconds).ToArray();
        if (toReceipt.Length != counted || counted == 0)
        {
            throw new BenchmarkFailedException($"Of {counted} updates, {toReceipt.Length} were received.");
        }

        var seconds = Stopwatch.GetElapsedTime(from, receipts.Values.Max(times => times.LastReceipt)).TotalSeconds;
        return new PipelineFigures(
            counted / seconds,
            Distribution.Of(toReceipt),
            Distribution.Of(returns),
            workerUsed / took,
            used.Server / took,
            used.Postgres / took,
            used.Redis / took,
            used.Load / took,
            Math.Max(0, used.Others - workerUsed) / took);
    }

    private async Task ReadHeadsAsync(CancellationToken cancellationToken)
    {
        var byId = users.ToDictionary(user => user.Id, StringComparer.Ordinal);
        await using var connection = new NpgsqlConnection(system.Database);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand("SELECT user_id, last_seq FROM user_streams", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            byId[reader.GetString(0)].Head = reader.GetInt64(1);
        }
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static double Milliseconds(long stopwatchTicks) => stopwatchTicks * 1000.0 / Stopwatch.Frequency;
}
