using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Api.Workers;
using StatusUpdates.Data.Schema;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Conformance;

namespace StatusUpdates.Tests.RemoteWorkers;

/// <summary>What a worker cannot see from outside, or only with settings of a test.</summary>
public sealed class RemoteWorkerTests(TestServers servers, SharedApi shared) : IClassFixture<SharedApi>
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Workers_have_a_rate_limit_of_their_own()
    {
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?>
        {
            ["RateLimits:User:Burst"] = "1",
            ["RateLimits:User:PermitsPerSecond"] = "1",
            ["RateLimits:Workers:Burst"] = "20",
            ["RateLimits:Workers:PermitsPerSecond"] = "1",
        });
        var worker = api.ConnectWorker(name: "same-name");
        using var user = await api.As("same-name").GetAsync("/api/v1/generations", Token);
        await user.DataAsync();
        for (var i = 0; i < 20; i++)
        {
            await worker.HeartbeatAsync([]);
        }

        HttpResponseMessage refused;
        do
        {
            refused = await worker.PostAsync("heartbeat", worker.Body(("generations", new JsonArray())));
        }
        while (refused.IsSuccessStatusCode);

        await refused.ProblemAsync(HttpStatusCode.TooManyRequests, "rate_limited");
        Assert.NotNull(refused.Headers.RetryAfter);
        await api.ConnectWorker(name: "another-name").HeartbeatAsync([]);
    }

    [Fact]
    public async Task More_requests_than_may_wait_are_refused()
    {
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["WorkerProtocol:MaxWaiting"] = "1" });
        var worker = api.ConnectWorker();
        using (api.App.Services.GetRequiredService<WorkerMetrics>().TryWait(new DefaultHttpContext()))
        {
            foreach (var (path, body) in new[] { ("claim", worker.ClaimBody()), ("heartbeat", worker.Body(("generations", new JsonArray()))) })
            {
                using var refused = await worker.PostAsync(path, body);
                await refused.ProblemAsync(HttpStatusCode.TooManyRequests, "too_many_connections");
                Assert.NotNull(refused.Headers.RetryAfter);
            }
        }

        Assert.Empty(await worker.ClaimAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_result_over_the_limit_is_refused_and_the_limit_is_named(bool statesLength)
    {
        const int MaxBytes = 1024 * 1024;
        await using var api = await TestApi.StartAsync(servers, new Dictionary<string, string?> { ["Results:MaxBytes"] = $"{MaxBytes}" });
        await api.SubmitAsync();
        var worker = api.ConnectWorker();
        var lease = await worker.ClaimOneAsync();
        var path = $"{ConformanceWorker.Path}/generations/{(string)lease["id"]!}/results?workerId={worker.Id}&attempt=1";
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new ByteArrayContent(new byte[MaxBytes + 1]) { Headers = { ContentType = new MediaTypeHeaderValue("video/mp4") } },
        };
        request.Headers.TransferEncodingChunked = !statesLength;
        using var response = await worker.Http.SendAsync(request, Token);
        var problem = await response.ProblemAsync(HttpStatusCode.RequestEntityTooLarge, "body_too_large");
        Assert.Contains($"{MaxBytes}", (string?)problem["detail"], StringComparison.Ordinal);

        using var largest = await worker.UploadAsync(lease, new ByteArrayContent(new byte[MaxBytes]) { Headers = { ContentType = new("video/mp4") } });
        await largest.DataAsync(HttpStatusCode.Created);
        await worker.CompleteAsync(lease);
    }

    [Fact]
    public async Task A_result_of_another_kind_than_its_task_makes_is_refused()
    {
        var api = await shared.ApiAsync();
        await api.SubmitAsync(SharedApi.NewUser());
        var worker = api.ConnectWorker();
        var lease = await worker.ClaimOneAsync();
        using var response = await worker.UploadAsync(lease, new StringContent("a text"));
        var problem = await response.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
        Assert.Contains("video/* or image/*", (string?)problem["errors"]!["Content-Type"]![0], StringComparison.Ordinal);
        await worker.CompleteAsync(lease);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_outcome_belongs_to_the_trace_of_the_submission(bool sendsTrace)
    {
        var api = await shared.ApiAsync();
        var user = SharedApi.NewUser();
        using var client = new Activity("a client").SetIdFormat(ActivityIdFormat.W3C);
        client.ActivityTraceFlags = ActivityTraceFlags.Recorded;
        client.Start();
        var id = await api.SubmitAsync(user);
        client.Stop();
        var worker = api.ConnectWorker();
        var lease = await worker.ClaimOneAsync();
        Assert.Equal(id, (string?)lease["id"]);
        var traceparent = (string)lease["traceparent"]!;
        Assert.Equal($"{client.TraceId}", traceparent.Split('-')[1]);

        // The test's own client would send the trace of the test.
        using var http = new HttpClient(new SocketsHttpHandler { ActivityHeadersPropagator = null }) { BaseAddress = api.Address };
        http.DefaultRequestHeaders.Authorization = worker.Http.DefaultRequestHeaders.Authorization;
        if (sendsTrace)
        {
            http.DefaultRequestHeaders.Add("traceparent", traceparent);
        }

        var body = worker.Body(("attempt", 1), ("resultUrls", new JsonArray("https://example.com/")));
        using var completed = await http.PostAsync($"{ConformanceWorker.Path}/generations/{id}/complete", Answers.Json(body.ToJsonString()), Token);
        await completed.DataAsync();
        var written = await api.Database.ScalarAsync<string>(
            $"SELECT traceparent FROM status_events WHERE generation_id = '{id}' ORDER BY seq DESC LIMIT 1", Token);
        Assert.Equal($"{client.TraceId}", written!.Split('-')[1]);
    }

    [Fact]
    public async Task Claims_and_outcomes_are_measured()
    {
        await using var api = await TestApi.StartAsync(servers);
        var meters = api.App.Services.GetRequiredService<IMeterFactory>();
        var measured = new List<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == WorkerMetrics.Name && instrument.Meter.Scope == meters)
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Add(instrument, 1, tags));
        listener.Start();

        var worker = api.ConnectWorker();
        await api.SubmitAsync();
        await worker.CompleteAsync(await worker.ClaimOneAsync());
        await api.SubmitAsync();
        await worker.EndAsync("release", await worker.ClaimOneAsync());
        await worker.EndAsync("fail", await worker.ClaimOneAsync(), ("retryable", true));
        await worker.HeartbeatAsync([JsonNode.Parse("""{"id":"gen-unknown","attempt":1}""")!]);

        lock (measured)
        {
            Assert.Equal(3, measured.Count(one => one == "statusupdates.worker.claims 1 sora"));
            Assert.Contains("statusupdates.worker.job.duration 1 sora completed", measured);
            Assert.Contains("statusupdates.worker.job.duration 1 sora released", measured);
            Assert.Contains("statusupdates.worker.job.duration 1 sora retried", measured);
            Assert.Contains("statusupdates.worker.handbacks 1", measured);
            Assert.Contains("statusupdates.worker.leases.lost 1", measured);
            Assert.Contains("statusupdates.worker.requests.waiting 1", measured);
        }

        void Add(Instrument instrument, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            lock (measured)
            {
                measured.Add(string.Join(' ', tags.ToArray().Select(tag => tag.Value?.ToString()).Prepend($"{instrument.Name} {value}")));
            }
        }
    }

    [Fact]
    public void An_update_id_is_the_same_for_a_repeat_and_another_one_for_every_other_call()
    {
        var (v7, v4) = (Guid.CreateVersion7(), Guid.NewGuid());
        Guid[] ids =
        [
            .. from chosen in new[] { v7, v4 }
               from call in new[] { "complete", "fail" }
               from generation in new[] { "gen-1", "gen-2" }
               from owner in new[] { "w/a", "w/b" }
               from attempt in new[] { 1, 2 }
               select UpdateIds.Of(chosen, call, generation, owner, attempt),
        ];
        Assert.Distinct(ids);
        Assert.Equal(UpdateIds.Of(v7, "fail", "gen-1", "w/a", 1), UpdateIds.Of(v7, "fail", "gen-1", "w/a", 1));
        Assert.NotEqual(UpdateIds.Of(null, "fail", "gen-1", "w/a", 1), UpdateIds.Of(null, "fail", "gen-1", "w/a", 1));
        Assert.All(ids, id => Assert.Equal(8, id.Version));

        // The index of ids grows at its end.
        Assert.Equal(v7.ToString()[..13], UpdateIds.Of(v7, "fail", "gen-1", "w/a", 1).ToString()[..13]);
    }
}
