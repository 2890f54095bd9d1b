using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using StatusUpdates.Api.Transports;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Transports;

/// <summary>Gives tests access to a server's connections and their settings.</summary>
internal static class Sockets
{
    /// <summary>The settings of <see cref="SmallBuffers"/>.</summary>
    public static IReadOnlyDictionary<string, string?> SmallBufferSettings { get; } = new Dictionary<string, string?>
    {
        ["Gateway:Connections:ResponseBufferBytes"] = "16384",
        ["Gateway:Connections:SendBufferBytes"] = "16384",
    };

    public static ConnectionRegistry Registry(TestApi api) => api.App.Services.GetRequiredService<ConnectionRegistry>();

    /// <summary>The only connection. Its client may get <c>connected</c> a moment before the connection is in the registry.</summary>
    public static async Task<FeedConnection> OnlyAsync(TestApi api)
    {
        await CountAsync(api, 1);
        return Assert.IsAssignableFrom<FeedConnection>(Assert.Single(Registry(api).Connections));
    }

    /// <summary>Waits until so many connections are in the registry, which is where the clock finds them.</summary>
    public static Task CountAsync(TestApi api, int count) => Eventually.TrueAsync(() => Registry(api).Connections.Count() >= count);

    /// <summary>A stopped clock that shows the current time.</summary>
    public static FakeTimeProvider StoppedClock() => new(TimeProvider.System.GetUtcNow());

    /// <summary>Advances the clock and makes all connections check it.</summary>
    public static void Advance(TestApi api, FakeTimeProvider time, TimeSpan by)
    {
        time.Advance(by);
        api.App.Services.GetRequiredService<ConnectionClock>().RunOnce();
    }

    public static Action<WebApplicationBuilder> With(FakeTimeProvider time) =>
        builder => builder.Services.AddSingleton<TimeProvider>(time);

    /// <summary>Buffers so small that a peer that stops reading soon blocks sends.</summary>
    public static void SmallBuffers(WebApplicationBuilder builder) => builder.Set(SmallBufferSettings);

    /// <summary>
    /// Blocks a connection in a send. How much fits between the two ends depends on the operating system: updates are published until the
    /// connection's position no longer moves while another client of the same user gets all of them.
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
