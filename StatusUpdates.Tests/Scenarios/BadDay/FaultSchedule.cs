using System.Collections.Concurrent;
using StackExchange.Redis;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Scenarios.BadDay;

/// <summary>
/// What goes wrong, one after the other and sometimes in parallel, as given by a seed: which faults, for how long, and the pauses between them.
/// A target of one fault is not hit by others until it has recovered.
/// </summary>
internal sealed class FaultSchedule(BadDayWorld world, History history, int seed, Action<string> writeLine)
{
    private const string Failover = "failover";

    private readonly Random _random = new(seed);
    private readonly ConcurrentDictionary<string, int> _done = [];
    private readonly Dictionary<string, SemaphoreSlim> _targets = [];

    /// <summary>How often each fault happened.</summary>
    public IReadOnlyDictionary<string, int> Done => _done;

    public async Task RunAsync(TimeSpan duration)
    {
        if (world.Postgres.CanFailOver)
        {
            await world.Postgres.AddStandbyAsync();
        }

        (string Name, int Weight, string Target, Func<Random, Task> Run)[] faults =
        [
            .. Of("api", world.Apis),
            .. Of("worker", world.Workers),
            .. Of("bot", [world.Bot]),
            ("kill redis", 4, "redis", KillRedisAsync),
            ("restart postgres", 2, "postgres", random => RestartPostgresAsync(random.Next(2) == 0 ? StopMode.Fast : StopMode.Immediate)),
            ("kill postgres", 2, "postgres", _ => KillPostgresAsync()),
            ("cut database", 3, "postgres", _ => CutAsync()),
            ("freeze database", 2, "postgres", FreezeAsync),
            ("lose answers", 4, "postgres", LoseAnswersAsync),
            ("delay database", 3, "postgres", DelayAsync),
            ("read-only", 2, "postgres", ReadOnlyAsync),
            ("locked rows", 3, "postgres", LockAsync),
            ("full disk", 2, "postgres", FullDiskAsync),
            ("forged hints", 4, "hints", ForgeAsync),
            ("no telegram", 2, "telegram", StopTelegramAsync),
            ("no receiver", 2, "receiver", StopReceiverAsync),
        ];
        if (world.Postgres.CanFailOver)
        {
            faults = [.. faults, (Failover, 4, "postgres", FailOverAsync)];
        }

        if (world.Pooler is { } pooler)
        {
            faults = [.. faults, ("restart pooler", 2, "pooler", _ => pooler.RestartAsync())];
        }

        foreach (var target in faults.Select(fault => fault.Target).Distinct())
        {
            _targets[target] = new SemaphoreSlim(1);
        }

        var hasFailedOver = false;
        var running = new List<Task>();
        var started = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(started) < duration)
        {
            // All of a fault's random values are drawn here, so that the schedule depends on the seed only, however long each fault takes.
            var fault = Draw(faults);
            if (world.Postgres.CanFailOver && !hasFailedOver && TimeProvider.System.GetElapsedTime(started) > duration / 3)
            {
                // However short the day, it includes a failover.
                fault = faults.First(candidate => candidate.Name == Failover);
            }

            var (name, _, target, run) = fault;
            hasFailedOver |= name == Failover;
            var own = new Random(_random.Next());
            var isParallel = _random.Next(3) == 0;
            var pause = TimeSpan.FromMilliseconds(_random.Next(100, 1500));
            await _targets[target].WaitAsync(TestTime.Token);
            writeLine($"{TimeProvider.System.GetElapsedTime(started).TotalSeconds:F1} s: {name}");
            var injected = InjectAsync(name, target, () => run(own));
            running.Add(injected);
            if (!isParallel)
            {
                await injected;
            }

            await Task.Delay(pause, TestTime.Token);
        }

        await Task.WhenAll(running);
    }

    private async Task InjectAsync(string name, string target, Func<Task> run)
    {
        try
        {
            await run();
            _done.AddOrUpdate(name, 1, (_, count) => count + 1);
        }
        finally
        {
            _targets[target].Release();
        }
    }

    private (string Name, int Weight, string Target, Func<Random, Task> Run) Draw((string Name, int Weight, string Target, Func<Random, Task> Run)[] faults)
    {
        var at = _random.Next(faults.Sum(fault => fault.Weight));
        return faults.First(fault => (at -= fault.Weight) < 0);
    }

    private static IEnumerable<(string Name, int Weight, string Target, Func<Random, Task> Run)> Of(string name, IReadOnlyList<ChildProcess> processes)
    {
        for (var i = 0; i < processes.Count; i++)
        {
            var process = processes[i];
            var target = $"{name} {i}";
            yield return ($"kill {name}", 2, target, _ => RestartAsync(process, Posix.SigKill));
            yield return ($"stop {name}", 1, target, _ => RestartAsync(process, Posix.SigTerm));
            yield return ($"pause {name}", 1, target, random => PauseAsync(process, random));
        }
    }

    private static async Task RestartAsync(ChildProcess process, int signal)
    {
        await process.EndAsync(signal);
        await process.StartAsync();
    }

    private static async Task PauseAsync(ChildProcess process, Random random)
    {
        process.Pause();
        await Task.Delay(random.Next(200, 9000), TestTime.Token);
        process.Continue();
    }

    private async Task KillRedisAsync(Random random)
    {
        await world.Redis.KillAsync();
        await Task.Delay(random.Next(0, 4000), TestTime.Token);
        await world.Redis.RestartAsync(TestTime.Token);
    }

    private Task RestartPostgresAsync(StopMode mode) => world.Postgres.Primary.RestartAsync(mode, TestTime.Token);

    private async Task KillPostgresAsync()
    {
        await world.Postgres.Primary.KillAsync();
        await world.Postgres.Primary.RestartAsync(StopMode.Fast, TestTime.Token);
    }

    private Task CutAsync()
    {
        world.Postgres.Address.Cut();
        return Task.CompletedTask;
    }

    private async Task FreezeAsync(Random random)
    {
        world.Postgres.Address.Freeze();
        await Task.Delay(random.Next(200, 6000), TestTime.Token);
        world.Postgres.Address.Cut();
    }

    private async Task LoseAnswersAsync(Random random)
    {
        world.Postgres.Address.LoseAnswers(random.Next(1, 6));
        await Task.Delay(300, TestTime.Token);
        world.Postgres.Address.LoseAnswers(0);
    }

    private async Task DelayAsync(Random random)
    {
        world.Postgres.Address.Delay = TimeSpan.FromMilliseconds(random.Next(5, 400));
        await Task.Delay(random.Next(500, 4000), TestTime.Token);
        world.Postgres.Address.Delay = TimeSpan.Zero;
    }

    private async Task ReadOnlyAsync(Random random)
    {
        const string Sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        await world.ExecuteAsync($"ALTER DATABASE badday SET default_transaction_read_only = on; {Sessions}");
        await Task.Delay(random.Next(200, 4000), TestTime.Token);
        await world.ExecuteAsync($"ALTER DATABASE badday RESET default_transaction_read_only; {Sessions}");
    }

    private async Task LockAsync(Random random)
    {
        var user = BadDayWorld.UserOf(random.Next(BadDayWorld.Users));
        var sql = random.Next(3) switch
        {
            0 => $"SELECT 1 FROM user_streams WHERE user_id = '{user}' FOR UPDATE",
            1 => $"SELECT 1 FROM generations WHERE user_id = '{user}' AND status IN ('pending', 'processing') FOR UPDATE",
            _ => "SELECT 1 FROM durable_cursors FOR UPDATE",
        };
        await using var connection = await world.ConnectAsync();
        await using var transaction = await connection.BeginTransactionAsync(TestTime.Token);
        await using var command = new Npgsql.NpgsqlCommand($"SET LOCAL idle_in_transaction_session_timeout = 0; {sql}", connection, transaction);
        await command.ExecuteNonQueryAsync(TestTime.Token);
        await Task.Delay(random.Next(200, 7000), TestTime.Token);
        await transaction.RollbackAsync(TestTime.Token);
    }

    // The error of a server whose disk is full: nothing can be written.
    private async Task FullDiskAsync(Random random)
    {
        await world.ExecuteAsync(
            """
            CREATE OR REPLACE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN RAISE EXCEPTION ''could not extend file: No space left on device'' USING ERRCODE = ''disk_full''; END';
            CREATE TRIGGER full_disk BEFORE INSERT ON status_events FOR EACH ROW EXECUTE FUNCTION disk_is_full();
            """);
        await Task.Delay(random.Next(200, 4000), TestTime.Token);
        await world.ExecuteAsync("DROP TRIGGER full_disk ON status_events");
    }

    // As a second environment on the same Redis might, or an attacker.
    private async Task ForgeAsync(Random random)
    {
        var head = (await History.ReadAsync(world.Direct)).GroupBy(update => update.UserId).Select(log => log.Last()).ToList();
        try
        {
            await using var redis = await ConnectionMultiplexer.ConnectAsync(world.Redis.ConnectionString + ",connectTimeout=500");
            var channels = new StatusChannels(new StatusMessagingOptions());
            foreach (var last in head)
            {
                var seq = last.Seq + random.Next(1, 4);
                var forged = new StatusUpdate
                {
                    GenerationId = "gen-forged",
                    UserId = last.UserId,
                    Type = "product_card",
                    Status = GenerationStatus.Completed,
                    Timestamp = 1_700_000_000_000,
                    Seq = seq,
                    Cursor = new LogPosition(seq, 0).ToString(),
                    After = random.Next(2) == 0 ? last.Cursor : null,
                };
                var subscriber = redis.GetSubscriber();
                await subscriber.PublishAsync(channels.User(last.UserId), StatusJson.Encode(forged));
                await subscriber.PublishAsync(channels.All, StatusJson.Encode(forged));
                await subscriber.PublishAsync(channels.User(last.UserId), "{\"seq\":");
            }
        }
        catch (RedisException)
        {
            // Redis was killed at the same time.
        }
    }

    private async Task StopTelegramAsync(Random random)
    {
        await world.Telegram.StopAsync();
        await Task.Delay(random.Next(200, 3000), TestTime.Token);
        await world.Telegram.ListenAsync();
    }

    private async Task StopReceiverAsync(Random random)
    {
        await world.Receiver.StopAsync();
        await Task.Delay(random.Next(200, 3000), TestTime.Token);
        await world.Receiver.ListenAsync();
    }

    private async Task FailOverAsync(Random random)
    {
        world.Postgres.LetLag();
        await Task.Delay(random.Next(100, 3000), TestTime.Token);
        await world.Postgres.FailOverAsync((old, standby) => history.RecordFailoverAsync(
            old.ConnectionStringFor("badday"), standby.ConnectionStringFor("badday")));
        await world.Postgres.AddStandbyAsync();
    }
}
