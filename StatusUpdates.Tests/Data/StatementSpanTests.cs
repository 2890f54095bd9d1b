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

/// <summary>The spans of database statements. A test collects the spans that name its own database.</summary>
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
    public void A_statement_is_named_by_its_first_comment_or_else_by_its_first_word(string sql, string name) =>
        Assert.Equal(name, StatementTracing.NameOf(sql));

    [Fact]
    public async Task The_span_of_a_requests_statement_has_the_name_of_the_operation_and_no_SQL()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        using var collector = new SpanCollector(db.Database);
        using (collector.StartRequest())
        {
            var id = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
            await db.Log.ReadAfterAsync("u", 0, 10, Token);
            await db.Log.ReadBoundsAsync("u", Token);
            await db.CreateQueries().FindAsync("u", id, Token);
            await db.CreateCommands().CancelAsync("u", id, cancellationToken: Token);
        }

        Assert.Equal(["submit", "read log", "read heads", "find generation", "cancel"], collector.Spans.Select(span => span.DisplayName));
        Assert.All(collector.Spans, span =>
        {
            Assert.Equal((ActivityKind.Client, collector.Trace), (span.Kind, span.TraceId));
            Assert.Equal(span.DisplayName, span.GetTagItem("db.operation.name"));
            Assert.Equal("postgresql", span.GetTagItem("db.system.name"));
            Assert.Null(span.GetTagItem("db.query.text"));
            Assert.DoesNotContain("Username", CollectedSpans.Describe(span), StringComparison.OrdinalIgnoreCase);
        });
    }

    [Fact]
    public async Task A_periodic_statement_has_a_span_only_if_it_finds_something_in_the_trace_of_what_it_found()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var log = new StatusLog(db.Database);
        using var collector = new SpanCollector(db.Database);
        var cursors = new CursorStore(db.Database);
        Assert.Empty((await db.ClaimAsync(cancellationToken: Token)).Claimed);
        Assert.Empty(await db.Queue.ExtendLeasesAsync("w", [], TimeSpan.FromSeconds(30), Token));
        Assert.Empty((await log.ReadAfterAsync("u", 0, 10, Token)).Items);
        Assert.Empty((await cursors.ClaimNextAsync(new("webhook", 1, 1, TimeSpan.FromSeconds(30), []), "", 10, Token)).Claimed);
        Assert.Empty(collector.Spans);

        var trace = ActivityTraceId.CreateRandom();
        var parent = ActivitySpanId.CreateRandom();
        var submission = new Submission
        {
            UserId = "u",
            Type = "chat",
            Task = "chat_processing",
            Prompt = "p",
            TraceParent = $"00-{trace}-{parent}-01",
        };
        await db.CreateCommands().SubmitAsync(submission, Token);
        var claim = await db.ClaimAsync(cancellationToken: Token);
        var span = Assert.Single(collector.Spans);
        Assert.Equal(("claim", ActivityKind.Client, trace, parent), (span.DisplayName, span.Kind, span.TraceId, span.ParentSpanId));
        Assert.Equal("receive", span.GetTagItem("messaging.operation.type"));
        Assert.Equal("generations", span.GetTagItem("messaging.destination.name"));
        Assert.Equal(submission.GenerationId, span.GetTagItem("statusupdates.generation.id"));

        // The updates that follow belong to the span of the claim.
        Assert.Equal(span.Id, Assert.Single(claim.Claimed).TraceParent);
        Assert.Equal(span.Id, Assert.Single(claim.Updates).TraceParent);

        await log.ReadAfterAsync("u", 0, 10, Token);
        Assert.Equal(("read log", trace), (collector.Spans[^1].DisplayName, collector.Spans[^1].TraceId));
    }

    [Fact]
    public async Task A_group_commit_has_a_span_with_the_outcome_in_the_trace_of_each_change()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var id = (await db.SubmitAsync("u", cancellationToken: Token)).Generation.Id;
        var attempt = (await db.ClaimAsync(cancellationToken: Token)).Claimed[0].Attempt;
        var log = new StatusLog(db.Database);
        using var collector = new SpanCollector(db.Database);
        var (accepted, refused) = (ActivityTraceId.CreateRandom(), ActivityTraceId.CreateRandom());
        await log.AppendAsync(Change(id, attempt, accepted), Token);
        await log.AppendAsync(Change(id, attempt + 1, refused), Token);

        Assert.Equal(["append", "append"], collector.Spans.Select(span => span.DisplayName));
        Assert.Equal([accepted, refused], collector.Spans.Select(span => span.TraceId));
        Assert.Equal([null, "StaleAttempt"], collector.Spans.Select(span => span.GetTagItem("statusupdates.refusal")));
    }

    [Fact]
    public async Task A_failed_statement_has_a_span_with_its_error_and_without_a_stack_trace()
    {
        var unreachable = new NpgsqlConnectionStringBuilder { Host = "127.0.0.1", Port = 1, Database = $"missing{Guid.NewGuid():N}", Username = "u", Password = "hush" };
        await using var database = new StatusDatabase(unreachable.ConnectionString, new StatusDatabaseOptions { RetryFor = TimeSpan.Zero });
        using var collector = new SpanCollector(database);
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => new GenerationQueue(database).ClaimAsync(
            new ClaimRequest { Owner = "w", Tasks = ["sora"], Limit = 1, Lease = TimeSpan.FromSeconds(30) }, Token));

        var span = Assert.Single(collector.Spans);
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

    private sealed class SpanCollector : IDisposable
    {
        private readonly ConcurrentQueue<Activity> _spans = [];
        private readonly ActivityListener _listener;

        public SpanCollector(StatusDatabase database)
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

        /// <summary>Starts a request span; statements until it is disposed of belong to it.</summary>
        public Activity StartRequest()
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
