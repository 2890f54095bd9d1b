using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using StatusUpdates.Api.Transports;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

/// <summary>What tests see and set of a server's sockets.</summary>
internal static class Sockets
{
    /// <summary>The settings of <see cref="SmallBuffers"/>.</summary>
    public static IReadOnlyDictionary<string, string?> SmallBufferSettings { get; } = new Dictionary<string, string?>
    {
        ["Gateway:Connections:ResponseBufferBytes"] = "16384",
        ["Gateway:Connections:SendBufferBytes"] = "16384",
    };

    public static ConnectionRegistry Registry(TestApi api) => api.App.Services.GetRequiredService<ConnectionRegistry>();

    /// <summary>The only connection. Its client may be told that it is connected a moment before it stands in the registry.</summary>
    public static async Task<FeedConnection> OnlyAsync(TestApi api)
    {
        await CountAsync(api, 1);
        return Assert.IsAssignableFrom<FeedConnection>(Assert.Single(Registry(api).Connections));
    }

    /// <summary>Waits until so many connections stand in the registry, which is where the clock finds them.</summary>
    public static Task CountAsync(TestApi api, int count) => Eventually.TrueAsync(() => Registry(api).Connections.Count() >= count);

    /// <summary>A clock that stands still, from now.</summary>
    public static FakeTimeProvider StoppedClock() => new(TimeProvider.System.GetUtcNow());

    /// <summary>Moves the clock, and lets all connections look at it.</summary>
    public static void Advance(TestApi api, FakeTimeProvider time, TimeSpan by)
    {
        time.Advance(by);
        api.App.Services.GetRequiredService<ConnectionClock>().RunOnce();
    }

    public static Action<WebApplicationBuilder> With(FakeTimeProvider time) =>
        builder => builder.Services.AddSingleton<TimeProvider>(time);

    /// <summary>Buffers so small that a peer which stops reading is soon felt.</summary>
    public static void SmallBuffers(WebApplicationBuilder builder) => builder.Configuration.AddInMemoryCollection(SmallBufferSettings);

    /// <summary>
    /// Blocks a connection in a send. How much fits between the two ends is the system's business: updates come until the connection
    /// stays where it is while another client of the same user is given all of them.
    /// </summary>
    public static async Task BlockAsync(TestApi api, string userId, SocketClient healthy, FeedConnection slow)
    {
        const int Step = 50;
        LogPosition before;
        do
        {
            before = slow.Position;
            for (var i = 0; i < Step; i++)
            {
                await api.PublishAsync(userId);
            }

            await healthy.SeqsAsync(Step);
        }
        while (!slow.IsWriting || slow.Position != before);
    }
}
