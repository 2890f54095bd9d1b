using System.Net;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Data;

/// <summary>A primary with synchronous replication, which must not confirm a commit before a standby has it, while no standby is connected.</summary>
public sealed class StandbyTests(TestServers servers, WaitingPrimary primary) : IClassFixture<WaitingPrimary>, IAsyncLifetime
{
    private const string Waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()";

    private readonly Submission _submission = new()
    {
        UserId = "u",
        Type = "product_card",
        Task = "product_card",
        Prompt = "p",
        IdempotencyKey = "k",
        RequestHash = [1],
    };

    private TestDatabase _db = null!;

    private static CancellationToken Token => TestTime.Token;

    public async ValueTask InitializeAsync() => _db = await primary.Cluster.CreateDatabaseAsync(Token);

    public async ValueTask DisposeAsync()
    {
        await SetStandbyAsync("");
        await _db.DisposeAsync();
    }

    [Fact]
    public async Task A_submission_that_a_timeout_leaves_on_the_primary_only_is_not_reported_as_submitted()
    {
        await SetStandbyAsync("missing");
        await using var database = new StatusDatabase(_db.ConnectionString + ";Command Timeout=1", new StatusDatabaseOptions { RetryFor = TimeSpan.Zero });
        var commands = new GenerationCommands(database, _db.CreateQueries());

        await Assert.ThrowsAsync<UnconfirmedWriteException>(() => commands.SubmitAsync(_submission, Token));
        Assert.Equal(1L, await _db.ScalarAsync<long>("SELECT count(*) FROM generations", Token));

        // A repeat that finds it, by id or by key, does not report it as submitted either while no standby has it.
        await Assert.ThrowsAsync<UnconfirmedWriteException>(() => commands.SubmitAsync(_submission, Token));
        await Assert.ThrowsAsync<UnconfirmedWriteException>(() => commands.SubmitAsync(_submission with { GenerationId = "gen-other" }, Token));
        await SetStandbyAsync("");
        Assert.Equal(SubmitOutcome.Repeated, (await commands.SubmitAsync(_submission with { GenerationId = "gen-other" }, Token)).Outcome);
    }

    [Theory]
    [InlineData("pg_cancel_backend")]
    [InlineData("pg_terminate_backend")]
    public async Task A_wait_for_the_standby_that_an_administrator_ends_starts_again(string end)
    {
        await SetStandbyAsync("missing");
        var submitted = _db.CreateCommands().SubmitAsync(_submission, Token);
        for (var round = 0; round < 3; round++)
        {
            var waiting = await WaitingAsync();
            await _db.ScalarAsync<bool>($"SELECT {end}({waiting})", Token);
            await _db.UntilAsync($"SELECT NOT EXISTS (SELECT {Waiting} AND pid = {waiting} AND query LIKE '-- submit%') OR EXISTS (SELECT {Waiting} AND pid <> {waiting})");
            await _db.UntilAsync($"SELECT EXISTS (SELECT {Waiting})");
            Assert.False(submitted.IsCompleted);
        }

        await SetStandbyAsync("");
        Assert.Equal(SubmitOutcome.Repeated, (await submitted).Outcome);
    }

    [Fact]
    public async Task An_update_whose_wait_was_ended_is_reported_as_committed_once_a_standby_has_it()
    {
        var generation = (await _db.CreateCommands().SubmitAsync(_submission, Token)).Generation;
        await SetStandbyAsync("missing");
        var append = _db.Log.AppendAsync(new StatusChange { GenerationId = generation.Id, Status = GenerationStatus.Canceled }, Token);
        await _db.ScalarAsync<bool>($"SELECT pg_cancel_backend({await WaitingAsync()})", Token);
        await _db.UntilAsync("SELECT EXISTS (SELECT FROM generations WHERE status = 'canceled')");
        await _db.UntilAsync($"SELECT EXISTS (SELECT {Waiting})");
        Assert.False(append.IsCompleted);

        await SetStandbyAsync("");
        Assert.Equal(2, (await append).Update?.Seq);
    }

    [Fact]
    public async Task A_caller_that_stops_waiting_for_a_write_does_not_end_it()
    {
        await SetStandbyAsync("missing");
        using var caller = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var submitted = _db.CreateCommands().SubmitAsync(_submission, caller.Token);
        var waiting = await WaitingAsync();
        await caller.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => submitted);
        Assert.Equal(waiting, await WaitingAsync());
        Assert.Equal(0L, await _db.ScalarAsync<long>("SELECT count(*) FROM generations", Token));
        await SetStandbyAsync("");
        await _db.UntilAsync("SELECT EXISTS (SELECT FROM generations)");
    }

    [Fact]
    public async Task A_request_that_takes_too_long_is_answered_with_503_and_not_202()
    {
        await using var redis = await servers.ConnectRedisAsync();
        await using var api = await TestApi.StartAsync(_db, redis, new Dictionary<string, string?> { ["Requests:Timeout"] = "00:00:01" });
        await SetStandbyAsync("missing");

        using var answer = await api.As("u").PostAsync("/api/v1/generations", Answers.Json("""{"type":"product_card","prompt":"p"}"""), Token);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.NotNull(answer.Headers.RetryAfter);
        await SetStandbyAsync("");
    }

    private async Task<int> WaitingAsync()
    {
        await _db.UntilAsync($"SELECT EXISTS (SELECT {Waiting})");
        return await _db.ScalarAsync<int>($"SELECT pid {Waiting}", Token);
    }

    // Returns when the setting is in effect for all sessions: commits wait for the standby, or no longer wait.
    private async Task SetStandbyAsync(string name)
    {
        await _db.ExecuteAsync($"ALTER SYSTEM SET synchronous_standby_names = '{name}'", Token);
        await _db.ExecuteAsync("SELECT pg_reload_conf()", Token);
        if (name.Length == 0)
        {
            await _db.UntilAsync($"SELECT NOT EXISTS (SELECT {Waiting})");
            return;
        }

        // Checked with a commit that has to wait, which is then canceled.
        await using var probe = new NpgsqlConnection(_db.ConnectionString + ";Pooling=false;Application Name=probe");
        await probe.OpenAsync(Token);
        for (var waits = false; !waits;)
        {
            await using var command = new NpgsqlCommand("SELECT pg_logical_emit_message(true, 'probe', '')", probe);
            var emitted = command.ExecuteNonQueryAsync(Token);
            while (!emitted.IsCompleted && !waits)
            {
                waits = await _db.ScalarAsync<object>($"SELECT pg_cancel_backend(pid) {Waiting} AND application_name = 'probe'", Token) is true;
            }

            await emitted;
        }
    }
}

/// <summary>A server for these tests only, because its setting makes every commit wait. The tests of a class run one after another.</summary>
public sealed class WaitingPrimary : IAsyncLifetime
{
    internal TestCluster Cluster { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Cluster = await TestCluster.StartAsync();

    public ValueTask DisposeAsync() => Cluster.DisposeAsync();
}
