using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Data;

/// <summary>What the database side records of itself. A test's spans are those that name its database.</summary>
public sealed class StatementSpanTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData("-- read log\nSELECT 1", "read log")]
    [InlineData("-- list generations\r\n\r\nSELECT 1", "list generations")]
    [InlineData("  SELECT secret FROM t", "SELECT")]
    [InlineData("with x as (select 1) select 2", "with")]
    [InlineData("-- alone", "alone")]
    [InlineData("", "statement")]
    [InlineData("$1", "statement")]
    public void A_statement_is_named_by_its_first_line_else_by_its_first_word(string sql, string name) =>
        Assert.Equal(name, StatementTracing.NameOf(sql));

    [Fact]
    public async Task A_statement_of_a_request_is_named_by_what_it_does_and_shows_no_SQL()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        using var heard = new Heard(db.Database);
        using (heard.Request())
        {
            var id = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
            await db.Log.ReadAfterAsync("u", 0, 10, Token);
            await db.Log.ReadBoundsAsync("u", Token);
            await db.CreateQueries().FindAsync("u", id, Token);
            await db.CreateCommands().CancelAsync("u", id, cancellationToken: Token);
        }

        Assert.Equal(["submit", "read log", "read heads", "find generation", "cancel"], heard.Spans.Select(span => span.DisplayName));
        Assert.All(heard.Spans, span =>
        {
            Assert.Equal((ActivityKind.Client, heard.Trace), (span.Kind, span.TraceId));
            Assert.Equal(span.DisplayName, span.GetTagItem("db.operation.name"));
            Assert.Equal("postgresql", span.GetTagItem("db.system.name"));
            Assert.Null(span.GetTagItem("db.query.text"));
            Assert.DoesNotContain("Username", CollectedSpans.Describe(span), StringComparison.OrdinalIgnoreCase);
        });
    }

    [Fact]
    public async Task What_a_timer_asks_for_leaves_a_span_only_when_it_finds_something_and_then_in_the_trace_of_what_it_found()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var log = new StatusLog(db.Database);
        using var heard = new Heard(db.Database);
        var cursors = new CursorStore(db.Database);
        Assert.Empty((await db.ClaimAsync(cancellationToken: Token)).Claimed);
        Assert.Empty(await db.Queue.ExtendLeasesAsync("w", TimeSpan.FromSeconds(30), Token));
        Assert.Empty((await log.ReadAfterAsync("u", 0, 10, Token)).Items);
        Assert.Empty((await cursors.ClaimNextAsync(new("webhook", 1, 1, TimeSpan.FromSeconds(30), []), "", 10, Token)).Claimed);
        Assert.Empty(heard.Spans);

        var trace = ActivityTraceId.CreateRandom();
        var parent = ActivitySpanId.CreateRandom();
        var submission = new Submission
        {
            UserId = "u",
            Type = GenerationType.Chat,
            Task = GenerationTask.ChatProcessing,
            Prompt = "p",
            TraceParent = $"00-{trace}-{parent}-01",
        };
        await db.CreateCommands().SubmitAsync(submission, Token);
        var claim = await db.ClaimAsync(cancellationToken: Token);
        var span = Assert.Single(heard.Spans);
        Assert.Equal(("claim", ActivityKind.Client, trace, parent), (span.DisplayName, span.Kind, span.TraceId, span.ParentSpanId));
        Assert.Equal("receive", span.GetTagItem("messaging.operation.type"));
        Assert.Equal("generations", span.GetTagItem("messaging.destination.name"));
        Assert.Equal(submission.GenerationId, span.GetTagItem("statusupdates.generation.id"));

        // What follows is a part of the claim.
        Assert.Equal(span.Id, Assert.Single(claim.Claimed).TraceParent);
        Assert.Equal(span.Id, Assert.Single(claim.Updates).TraceParent);

        await log.ReadAfterAsync("u", 0, 10, Token);
        Assert.Equal(("read log", trace), (heard.Spans[^1].DisplayName, heard.Spans[^1].TraceId));
    }

    [Fact]
    public async Task A_commit_of_many_is_a_span_in_the_trace_of_each_with_its_outcome()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var id = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        var attempt = (await db.ClaimAsync(cancellationToken: Token)).Claimed[0].Attempt;
        var log = new StatusLog(db.Database);
        using var heard = new Heard(db.Database);
        var (accepted, refused) = (ActivityTraceId.CreateRandom(), ActivityTraceId.CreateRandom());
        await log.AppendAsync(Change(id, attempt, accepted), Token);
        await log.AppendAsync(Change(id, attempt + 1, refused), Token);

        Assert.Equal(["append", "append"], heard.Spans.Select(span => span.DisplayName));
        Assert.Equal([accepted, refused], heard.Spans.Select(span => span.TraceId));
        Assert.Equal([null, "StaleAttempt"], heard.Spans.Select(span => span.GetTagItem("statusupdates.refusal")));
    }

    [Fact]
    public async Task What_fails_is_a_span_with_its_error_and_without_its_stack()
    {
        var away = new NpgsqlConnectionStringBuilder { Host = "127.0.0.1", Port = 1, Database = $"away{Guid.NewGuid():N}", Username = "u", Password = "hush" };
        await using var database = new StatusDatabase(away.ConnectionString, new StatusDatabaseOptions { RetryFor = TimeSpan.Zero });
        using var heard = new Heard(database);
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => new GenerationQueue(database).ClaimAsync(
            new ClaimRequest { Owner = "w", Tasks = [GenerationTask.Sora], Limit = 1, Lease = TimeSpan.FromSeconds(30) }, Token));

        var span = Assert.Single(heard.Spans);
        Assert.Equal(("claim", ActivityStatusCode.Error), (span.DisplayName, span.Status));
        Assert.Equal("Npgsql.NpgsqlException", span.GetTagItem("error.type"));
        Assert.Empty(span.Events);
        Assert.DoesNotContain("hush", CollectedSpans.Describe(span), StringComparison.Ordinal);
    }

    private static StatusChange Change(string id, int attempt, ActivityTraceId trace) => new()
    {
        GenerationId = id,
        Status = GenerationStatus.Processing,
        Attempt = attempt,
        Progress = 50,
        TraceParent = $"00-{trace}-{ActivitySpanId.CreateRandom()}-01",
    };

    private sealed class Heard : IDisposable
    {
        private readonly ConcurrentQueue<Activity> _spans = [];
        private readonly ActivityListener _listener;

        public Heard(StatusDatabase database)
        {
            var name = new NpgsqlConnectionStringBuilder(database.DataSource.ConnectionString).Database;
            _listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name is "Npgsql" or DataTelemetry.Name,
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = span =>
                {
                    if (Equals(span.GetTagItem("db.namespace"), name))
                    {
                        _spans.Enqueue(span);
                    }
                },
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public IReadOnlyList<Activity> Spans => [.. _spans];

        public ActivityTraceId Trace { get; private set; }

        /// <summary>What runs until it is disposed of is a part of it.</summary>
        public Activity Request()
        {
            var request = new Activity("a request").SetIdFormat(ActivityIdFormat.W3C);
            request.ActivityTraceFlags = ActivityTraceFlags.Recorded;
            request.IsAllDataRequested = true;
            Trace = request.Start().TraceId;
            return request;
        }

        public void Dispose() => _listener.Dispose();
    }
}
