using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

public sealed class RequestDurationTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Request_durations_include_refused_connections_and_no_established_connection()
    {
        await using var api = await TestApi.StartAsync(servers);
        var measured = new ConcurrentQueue<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, listening) =>
        {
            // Each host has its own meters.
            if (instrument.Name == "http.server.request.duration" && ReferenceEquals(instrument.Meter.Scope, api.App.Services.GetRequiredService<IMeterFactory>()))
            {
                listening.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) => measured.Enqueue($"{Tag(tags, "http.route")} {Tag(tags, "http.response.status_code")}"));
        listener.Start();

        await using (await SocketClient.ConnectAsync(api, "alice"))
        using (var stream = await api.As("alice").GetAsync("/api/v1/status/stream", HttpCompletionOption.ResponseHeadersRead, Token))
        {
            Assert.True(stream.IsSuccessStatusCode);
            await Sockets.CountAsync(api, 2);
        }

        using (var poll = await api.As("alice").GetAsync("/api/v1/status/poll?since=0&timeout=0", Token))
        {
            await poll.DataAsync();
        }

        foreach (var path in new[] { "/ws/status", "/api/v1/status/stream", "/api/v1/status/poll" })
        {
            using var refused = await api.Anonymous.GetAsync(path, Token);
            Assert.Equal(401, (int)refused.StatusCode);
        }

        await Eventually.TrueAsync(() => Sockets.Registry(api).Count == 0);

        // Everything that ended earlier has been measured once a later request has.
        using (await api.As("alice").GetAsync("/api/v1/generations", Token))
        {
            await Eventually.TrueAsync(() => measured.Any(entry => entry.StartsWith("/api/v1/generations", StringComparison.Ordinal)));
        }

        await Eventually.TrueAsync(() => measured.Count >= 4);
        Assert.Equal(
            ["/api/v1/generations 200", "/api/v1/status/poll 401", "/api/v1/status/stream 401", "/ws/status 401"],
            measured.Select(entry => entry.Replace("/ 200", " 200", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    private static object? Tag(ReadOnlySpan<KeyValuePair<string, object?>> tags, string name)
    {
        foreach (var (key, value) in tags)
        {
            if (key == name)
            {
                return value;
            }
        }

        return null;
    }
}
