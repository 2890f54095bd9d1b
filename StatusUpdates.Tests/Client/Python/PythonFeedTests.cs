using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Client.Python;

/// <summary>The feed of <c>clients/python</c> against the API itself.</summary>
public sealed class PythonFeedTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task Every_update_arrives_once_and_in_order_however_often_connections_are_cut()
    {
        await using var api = await TestApi.StartAsync(servers);
        await using var proxy = new TcpProxy(api.Address.Port);
        await using var watch = await PythonProgram.StartWatchAsync(new UriBuilder(api.Address) { Port = proxy.Port }.Uri, "alice");
        for (var round = 1; round <= 20; round++)
        {
            var last = watch.LineAsync($"update {round * 5};");
            if (round % 2 == 0)
            {
                proxy.Cut();
            }

            proxy.LoseAnswers(1);
            for (var i = 1; i <= 5; i++)
            {
                await api.PublishAsync("alice");
            }

            await last;
        }

        AssertReceived(watch, 100);
        Assert.True(proxy.Lost > 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_restart_of_the_API_loses_no_update(bool stream)
    {
        void Configure(WebApplicationBuilder builder)
        {
            if (!stream)
            {
                builder.Services.AddSingleton<IStartupFilter>(new NoStreams());
            }
        }

        await using var api = await TestApi.StartAsync(servers, configure: Configure);
        await using var watch = await PythonProgram.StartWatchAsync(api.Address, "alice");
        var (first, third, fourth) = (watch.LineAsync("update 1;"), watch.LineAsync("update 3;"), watch.LineAsync("update 4;"));
        await api.PublishAsync("alice");
        await first;

        await api.App.StopAsync(Token);
        await api.CommitAsync("alice");
        await api.CommitAsync("alice");
        await using var restarted = await api.StartAnotherAsync(api.Address, configure: Configure);
        await third;
        await api.CommitAsync("alice");
        await fourth;

        AssertReceived(watch, 4);
    }

    [Fact]
    public async Task A_cursor_of_another_log_is_reported_as_a_resync_and_the_feed_continues()
    {
        await using var api = await TestApi.StartAsync(servers);
        await api.CommitAsync("alice");
        await using var watch = await PythonProgram.StartWatchAsync(api.Address, "alice", since: "1-00000000");
        var update = watch.LineAsync("update 2;");
        await watch.LineAsync("resync 1;");
        await api.PublishAsync("alice");
        await update;
    }

    private static void AssertReceived(PythonProgram watch, int count) => Assert.Equal(
        Enumerable.Range(1, count).Select(seq => $"update {seq};"),
        watch.Output.Split('\n').Where(line => line.StartsWith("update ", StringComparison.Ordinal) || line.StartsWith("resync ", StringComparison.Ordinal)));

    // Acts as a proxy that does not know server-sent events.
    private sealed class NoStreams : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use((context, rest) =>
            {
                if (!context.Request.Path.StartsWithSegments("/api/v1/status/stream", StringComparison.Ordinal))
                {
                    return rest(context);
                }

                context.Response.StatusCode = StatusCodes.Status502BadGateway;
                return Task.CompletedTask;
            });
            next(app);
        };
    }
}
