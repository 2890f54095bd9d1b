using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;

namespace StatusUpdates.Tests.EndToEnd;

/// <summary>Kills processes of a running system with SIGKILL while they work.</summary>
[Long]
[Collection(BreakableSystem.Name)]
public sealed class KilledProcessTests(BreakableSystem system)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Submissions_with_one_idempotency_key_create_one_generation_even_if_the_API_is_killed_meanwhile_and_all_are_repeated()
    {
        var host = await system.HostAsync(Token);
        using var http = await SignInAsync(host.Application);
        var firstResponses = new Countdown(5);

        var submits = Enumerable.Range(0, 50).Select(_ => SubmitUntilAnsweredAsync(http, firstResponses)).ToArray();
        await firstResponses.Reached.WaitAsync(Token);
        using (var api = Process.GetProcessById(await host.ProcessIdAsync("api", Token)))
        {
            api.Kill();
        }

        var ids = await Task.WhenAll(submits);

        // Once more, like a client that never got a response.
        ids = [.. ids, .. await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => SubmitUntilAnsweredAsync(http, null)))];
        var id = Assert.Single(ids.Distinct());
        var list = await RunningSystem.Data(await http.GetAsync(new Uri("/api/v1/generations", UriKind.Relative), Token), Token);
        Assert.Equal(1, list.GetProperty("total").GetInt32());
        var history = await RunningSystem.Data(await http.GetAsync(new Uri($"/api/v1/generations/{id}/history", UriKind.Relative), Token), Token);
        Assert.Single(history.GetProperty("items").EnumerateArray(), u => u.GetProperty("status").GetString() == "pending");
        Assert.Equal(1, history.GetProperty("items")[0].GetProperty("seq").GetInt32());
    }

    private sealed class Countdown(int count)
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _left = count;

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
        // A new connection for each request: a repeat must not get a connection that broke when the API was killed.
        var http = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero }) { BaseAddress = app.GetEndpoint("api") };
        var answer = await http.PostAsJsonAsync("/api/v1/dev/token", new { userId = "of-the-killed-api" }, Token);
        http.DefaultRequestHeaders.Authorization =
            new AuthenticationHeaderValue("Bearer", (await RunningSystem.Data(answer, Token)).GetProperty("token").GetString());
        return http;
    }

    private static async Task<string> SubmitUntilAnsweredAsync(HttpClient http, Countdown? responses)
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
                    // Sessions of the killed process still use up the database's connections.
                    await Task.Delay(50, Token);
                    continue;
                }

                var id = (await RunningSystem.Data(response, Token)).GetProperty("id").GetString()!;
                responses?.TrySignal();

                return id;
            }
            catch (HttpRequestException)
            {
                // The API is down and is being restarted.
                await Task.Delay(50, Token);
            }
        }
    }
}
