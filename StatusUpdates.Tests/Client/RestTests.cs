using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using StatusUpdates.Client;
using StatusUpdates.Client.Http;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Client;

public sealed class RestTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_generation_is_submitted_read_listed_followed_and_canceled()
    {
        await using var api = await TestApi.StartAsync(servers);
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address));
        var submitted = await client.SubmitAsync(
            new()
            {
                Type = "chat",
                Prompt = "Hello, ünïcode & \"quotes\"",
                Task = "image_generation",
                Options = new JsonObject { ["width"] = 512 },
            },
            Token);

        Assert.Equal(
            ("alice", "chat", "image_generation", GenerationStatus.Pending, 1L, "Hello, ünïcode & \"quotes\""),
            (submitted.UserId, submitted.Type, submitted.Task, submitted.Status, submitted.Seq, submitted.Prompt));
        Assert.Equal(512, submitted.Options!.Value.GetProperty("width").GetInt32());
        Assert.Equal(submitted.Cursor, (await api.Database.Log.ReadAfterAsync("alice", 0, 1, Token)).Items.Single().Cursor);
        Assert.InRange(submitted.CreatedAt, TimeProvider.System.GetUtcNow().AddMinutes(-5), TimeProvider.System.GetUtcNow().AddMinutes(5));
        foreach (var read in new[] { await client.GetAsync(submitted.Id, Token), Assert.Single((await client.ListAsync(cancellationToken: Token)).Items) })
        {
            Assert.True(JsonElement.DeepEquals(submitted.Options.Value, read.Options!.Value));
            Assert.Equal(submitted, read with { Options = submitted.Options });
        }

        var canceled = await client.CancelAsync(submitted.Id, Token);
        Assert.Equal((GenerationStatus.Canceled, 2L), (canceled.Status, canceled.Seq));
        var history = await client.GetHistoryAsync(submitted.Id, cancellationToken: Token);
        Assert.Equal([1L, 2L], history.Items.Select(update => update.Seq!.Value));
        Assert.True(history.Complete);
        Assert.Equal([2L], (await client.GetHistoryAsync(submitted.Id, since: 1, limit: 5, Token)).Items.Select(update => update.Seq!.Value));
    }

    [Fact]
    public void A_generation_has_a_cursor_even_if_its_API_sends_none()
    {
        const string Old =
            """
            {"data":{"id":"gen-1","userId":"alice","type":"sora","status":"completed","seq":42,"prompt":"x","resultUrls":["https://example.org/1"],
             "createdAt":"2024-01-01T00:00:00.000Z","updatedAt":"2024-01-01T00:00:05.000Z","completedAt":"2024-01-01T00:00:05.000Z"}}
            """;
        var generation = JsonSerializer.Deserialize(Old, ClientJsonContext.Default.EnvelopeGeneration)!.Data!;

        Assert.Equal((42L, "42", "", GenerationStatus.Completed), (generation.Seq, generation.Cursor, generation.Task, generation.Status));
        Assert.Equal(["https://example.org/1"], generation.ResultUrls!);
        Assert.Equal("42-9f3ab2c1", (generation with { Cursor = "42-9f3ab2c1" }).Cursor);
    }

    [Fact]
    public async Task The_same_request_sent_again_after_a_lost_answer_creates_no_second_generation()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var proxy = new TcpProxy(api.Address.Port);
        using var client = new StatusUpdatesClient(ClientScene.Options(ClientScene.AddressOf(proxy)));
        var request = new SubmitGenerationRequest { Type = "sora", Prompt = "a lighthouse" };
        proxy.LoseAnswers(1);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.SubmitAsync(request, Token));
        var again = await client.SubmitAsync(request, Token);
        var other = await client.SubmitAsync(new() { Type = "sora", Prompt = "a lighthouse" }, Token);

        Assert.Equal(1, proxy.Lost);
        Assert.NotEqual(again.Id, other.Id);
        Assert.Equal(2, (await client.ListAsync(cancellationToken: Token)).Total);
    }

    [Fact]
    public async Task A_list_can_be_filtered_and_is_read_in_full_page_by_page()
    {
        await using var api = await TestApi.StartAsync(servers);
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address));
        var ids = new List<string>();
        for (var i = 0; i < 25; i++)
        {
            ids.Insert(0, (await client.SubmitAsync(new() { Type = "chat", Prompt = $"{i}" }, Token)).Id);
        }

        var middle = await client.GetAsync(ids[10], Token);
        await client.CancelAsync(ids[3], Token);

        Assert.Equal(ids, await IdsAsync(client, new() { Limit = 10 }));
        Assert.Equal(ids[5..], await IdsAsync(client, new() { Limit = 7, Offset = 5 }));
        Assert.Equal([ids[3]], await IdsAsync(client, new() { Status = GenerationStatus.Canceled }));
        Assert.Empty(await IdsAsync(client, new() { Type = "sora" }));

        // Times are shown in milliseconds but stored in microseconds.
        var since = await IdsAsync(client, new() { StartDate = middle.CreatedAt.ToOffset(TimeSpan.FromHours(5)) });
        var until = await IdsAsync(client, new() { EndDate = middle.CreatedAt.AddMilliseconds(1) });
        Assert.Contains(ids[10], since);
        Assert.Contains(ids[10], until);
        Assert.Contains(ids[0], since);
        Assert.Contains(ids[24], until);
    }

    [Fact]
    public async Task A_problem_is_an_exception_with_its_status_code_and_fields()
    {
        await using var api = await TestApi.StartAsync(servers);
        using var client = new StatusUpdatesClient(ClientScene.Options(api.Address));
        using var bob = new StatusUpdatesClient(ClientScene.Options(api.Address, "bob"));
        var mine = await client.SubmitAsync(new() { Type = "chat", Prompt = "x" }, Token);
        var (foreign, _) = await RefusedAsync(() => bob.GetAsync(mine.Id, Token), HttpStatusCode.NotFound, "not_found");
        Assert.NotNull(foreign.TraceId);
        await RefusedAsync(() => client.GetAsync("a/../b?c#d", Token), HttpStatusCode.NotFound, "not_found");
        await api.Database.CreateCommands().CancelAsync("alice", mine.Id, cancellationToken: Token);
        var job = (await client.SubmitAsync(new() { Type = "chat", Prompt = "y" }, Token)).Id;
        await api.Database.ClaimAsync(cancellationToken: Token);
        await api.Database.Log.AppendAsync(
            new StatusUpdates.Data.Log.StatusChange { GenerationId = job, Status = GenerationStatus.Failed, Attempt = 1, ErrorMessage = "no" }, Token);
        await RefusedAsync(() => client.CancelAsync(job, Token), HttpStatusCode.Conflict, "generation_terminal");
        Assert.Equal("no", (await client.GetAsync(job, Token)).ErrorMessage);

        var request = new SubmitGenerationRequest { Type = "chat", Prompt = "x" };
        await client.SubmitAsync(request, Token);
        await RefusedAsync(() => client.SubmitAsync(request with { Prompt = "z" }, Token), HttpStatusCode.UnprocessableEntity, "idempotency_key_reused");

        var (_, fields) = await RefusedAsync(
            () => client.SubmitAsync(new() { Type = "chat", Prompt = " ", Task = "sora" }, Token),
            HttpStatusCode.BadRequest,
            "invalid_request");
        Assert.Equal(["prompt", "task"], fields.Order());
        (_, fields) = await RefusedAsync(() => client.ListAsync(new() { Limit = 101 }, Token), HttpStatusCode.BadRequest, "invalid_request");
        Assert.Equal(["limit"], fields);
    }

    [Fact]
    public async Task A_rate_limit_is_an_exception_with_the_time_to_wait()
    {
        await using var gateway = await Gateway.StartAsync();
        gateway.Answer = context => Task.FromResult(Gateway.Refuse(context, 429, 3));
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address));

        var error = await Assert.ThrowsAsync<StatusUpdatesException>(() => client.GetAsync("gen-1", Token));
        Assert.Equal((HttpStatusCode.TooManyRequests, null, TimeSpan.FromSeconds(3)), (error.StatusCode, error.Code, error.RetryAfter));
    }

    [Fact]
    public async Task An_unanswered_call_ends_on_timeout_or_cancellation()
    {
        await using var gateway = await Gateway.StartAsync();
        gateway.Answer = async context =>
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            return true;
        };
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address) with { RequestTimeout = TimeSpan.FromMilliseconds(200) });
        await Assert.ThrowsAsync<TimeoutException>(() => client.GetAsync("gen-1", Token));
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.GetAsync("gen-1", stop.Token));
    }

    [Theory]
    [InlineData("text/html", "<html>", null)]
    [InlineData("application/json", "{}", StatusUpdatesException.UnexpectedAnswer)]
    [InlineData("application/json", "{\"data\":{\"id\":7}}", StatusUpdatesException.UnexpectedAnswer)]
    [InlineData("application/json", "{\"data\":", StatusUpdatesException.UnexpectedAnswer)]
    public async Task An_answer_that_is_not_from_the_api_is_reported_as_unexpected(string contentType, string body, string? code)
    {
        await using var gateway = await Gateway.StartAsync();
        gateway.Answer = async context =>
        {
            context.Response.ContentType = contentType;
            await context.Response.Body.WriteAsync(System.Text.Encoding.UTF8.GetBytes(body), Token);
            return true;
        };
        using var client = new StatusUpdatesClient(ClientScene.Options(gateway.Address));

        Assert.Equal(code, (await Assert.ThrowsAsync<StatusUpdatesException>(() => client.GetAsync("gen-1", Token))).Code);
    }

    [Fact]
    public async Task A_base_address_with_a_path_is_a_prefix_of_every_request()
    {
        await using var gateway = await Gateway.StartAsync();
        gateway.Answer = context => Task.FromResult(Gateway.Refuse(context, 404));
        using var client = new StatusUpdatesClient(ClientScene.Options(new(gateway.Address, "/behind/here")));
        await Assert.ThrowsAsync<StatusUpdatesException>(() => client.ListAsync(cancellationToken: Token));
        await using var reader = client.Watch(new() { Since = 5 }).Read();
        reader.Begin();
        await Eventually.TrueAsync(() => gateway.Requests.Count >= 3);

        Assert.Equal(
            ["GET /behind/here/api/v1/generations", "GET /behind/here/ws/status?since=5&batch=true", "GET /behind/here/api/v1/status/poll?since=5&timeout=25"],
            gateway.Requests.Take(3));
    }

    private static async Task<List<string>> IdsAsync(StatusUpdatesClient client, GenerationQuery query)
    {
        var ids = new List<string>();
        await foreach (var generation in client.ListAllAsync(query, Token))
        {
            ids.Add(generation.Id);
        }

        return ids;
    }

    private static async Task<(StatusUpdatesException Error, IEnumerable<string> Fields)> RefusedAsync(
        Func<Task> call, HttpStatusCode status, string code)
    {
        var error = await Assert.ThrowsAsync<StatusUpdatesException>(call);
        Assert.Equal((status, code), (error.StatusCode, error.Code));
        return (error, error.Errors.Keys);
    }
}
