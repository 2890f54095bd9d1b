using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;

namespace StatusUpdates.Tests.EndToEnd;

/// <summary>Processes of a running system killed with -9 in the middle of work.</summary>
[Collection(BreakableSystem.Name)]
public sealed class KilledProcessTests(BreakableSystem system)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Submissions_under_one_key_make_one_generation_even_if_the_API_dies_in_the_middle_and_all_are_repeated()
    {
        var host = await system.HostAsync(Token);
        using var http = await SignInAsync(host.Application);
        var firstAnswers = new Answers(5);

        var submits = Enumerable.Range(0, 50).Select(_ => SubmitUntilAnsweredAsync(http, firstAnswers)).ToArray();
        await firstAnswers.Reached.WaitAsync(Token);
        using (var api = Process.GetProcessById(await host.ProcessIdAsync("api", Token)))
        {
            api.Kill();
        }

        var ids = await Task.WhenAll(submits);

        // And once more, as a client does that never got an answer.
        ids = [.. ids, .. await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => SubmitUntilAnsweredAsync(http, null)))];
        var id = Assert.Single(ids.Distinct());
        var list = await RunningSystem.Data(await http.GetAsync(new Uri("/api/v1/generations", UriKind.Relative), Token), Token);
        Assert.Equal(1, list.GetProperty("total").GetInt32());
        var history = await RunningSystem.Data(await http.GetAsync(new Uri($"/api/v1/generations/{id}/history", UriKind.Relative), Token), Token);
        Assert.Single(history.GetProperty("items").EnumerateArray(), u => u.GetProperty("status").GetString() == "pending");
        Assert.Equal(1, history.GetProperty("items")[0].GetProperty("seq").GetInt32());
    }

    private sealed class Answers(int awaited)
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _left = awaited;

        public Task Reached => _reached.Task;

        public void TrySignal()
        {
            if (Interlocked.Decrement(ref _left) == 0)
            {
                _reached.SetResult();
            }
        }
    }

    private static async Task<HttpClient> SignInAsync(DistributedApplication app)
    {
        // A connection for each request: one that the death of the API broke must not be what a repeat finds.
        var http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero }) { BaseAddress = app.GetEndpoint("api") };
        var answer = await http.PostAsJsonAsync("/api/v1/dev/token", new { userId = "of-the-killed-api" }, Token);
        http.DefaultRequestHeaders.Authorization =
            new AuthenticationHeaderValue("Bearer", (await RunningSystem.Data(answer, Token)).GetProperty("token").GetString());
        return http;
    }

    private static async Task<string> SubmitUntilAnsweredAsync(HttpClient http, Answers? answered)
    {
        while (true)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/generations")
            {
                Content = JsonContent.Create(new { type = "product_card", prompt = "one of many" }),
            };
            request.Headers.Add("Idempotency-Key", "the-key");
            try
            {
                using var response = await http.SendAsync(request, Token);
                if (response.StatusCode == HttpStatusCode.ServiceUnavailable)
                {
                    // Sessions of the one that died still take all of the database's places.
                    await Task.Delay(50, Token);
                    continue;
                }

                var id = (await RunningSystem.Data(response, Token)).GetProperty("id").GetString()!;
                answered?.TrySignal();

                return id;
            }
            catch (HttpRequestException)
            {
                // The API is away: it is started again.
                await Task.Delay(50, Token);
            }
        }
    }
}
