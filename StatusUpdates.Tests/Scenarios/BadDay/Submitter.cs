using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Scenarios.BadDay;

/// <summary>A user's program: it submits with an idempotency key, repeats requests until they are answered, and cancels some.</summary>
internal sealed class Submitter(string userId, IReadOnlyList<Uri> apis, int seed)
{
    private static readonly string[] Types = ["product_card", "chat"];

    private readonly Random _random = new(seed);
    private readonly ConcurrentQueue<string> _accepted = [];
    private readonly ConcurrentDictionary<int, int> _answers = [];

    /// <summary>The generations that were acknowledged.</summary>
    public IReadOnlyCollection<string> Accepted => _accepted;

    /// <summary>How often each status was received; 0: no response.</summary>
    public IReadOnlyDictionary<int, int> Answers => _answers;

    public async Task RunAsync(TimeSpan pause, CancellationToken stop)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        while (!stop.IsCancellationRequested)
        {
            await SubmitAsync(http);
            await Task.Delay(pause * (0.5 + _random.NextDouble()), CancellationToken.None);
        }
    }

    /// <summary>Submits a generation, however long it takes.</summary>
    public async Task<string> SubmitAsync(HttpClient http)
    {
        var key = Guid.NewGuid().ToString();
        var body = new JsonObject { ["type"] = Types[_random.Next(Types.Length)], ["prompt"] = "A cup of tea, & a biscuit" };
        for (var api = _random.Next(apis.Count); ; api++)
        {
            TestTime.Token.ThrowIfCancellationRequested();
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(apis[api % apis.Count], "/api/v1/generations"))
            {
                Headers = { { "Authorization", $"Bearer {TestTokens.Create(userId)}" }, { "Idempotency-Key", key } },
                Content = JsonContent.Create(body),
            };
            if (await TrySendAsync(http, request) is { } id)
            {
                _accepted.Enqueue(id);
                if (_random.Next(10) == 0)
                {
                    using var cancel = new HttpRequestMessage(HttpMethod.Post, new Uri(apis[api % apis.Count], $"/api/v1/generations/{id}/cancel"))
                    {
                        Headers = { { "Authorization", $"Bearer {TestTokens.Create(userId)}" } },
                    };
                    await TrySendAsync(http, cancel);
                }

                return id;
            }

            await Task.Delay(_random.Next(50, 300), CancellationToken.None);
        }
    }

    private async Task<string?> TrySendAsync(HttpClient http, HttpRequestMessage request)
    {
        var status = 0;
        try
        {
            using var response = await http.SendAsync(request, TestTime.Token);
            status = (int)response.StatusCode;
            if (response.StatusCode is HttpStatusCode.Accepted or HttpStatusCode.OK)
            {
                return (string?)(await response.Content.ReadFromJsonAsync<JsonNode>(TestTime.Token))!["data"]!["id"];
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException or System.Text.Json.JsonException || (e is OperationCanceledException && !TestTime.Token.IsCancellationRequested))
        {
            // The connection broke: the request is sent again.
        }
        finally
        {
            _answers.AddOrUpdate(status, 1, (_, count) => count + 1);
        }

        return null;
    }
}
