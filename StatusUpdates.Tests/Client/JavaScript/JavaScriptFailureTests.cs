using System.Globalization;
using System.Net.WebSockets;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;

namespace StatusUpdates.Tests.Client.JavaScript;

/// <summary><c>status-updates.js</c> against a server that behaves as the API rarely or never does.</summary>
public sealed class JavaScriptFailureTests
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task The_token_is_exchanged_for_a_ticket_and_is_in_no_address()
    {
        await using var server = await ScriptedServer.StartAsync();
        var bearers = new List<string>();
        server.OnTicket = context =>
        {
            bearers.Add(context.Request.Headers.Authorization.ToString());
            return ScriptedServer.OkAsync(context, """{"ticket":"a-ticket"}""");
        };
        server.OnSocket = Serving("""{"type":"connected","userId":"u","seq":7}""");
        await using var client = await StartAsync(server, since: 7);
        await client.StateAsync("live", "websocket");

        Assert.Equal(["Bearer a-token"], bearers);
        Assert.Equal(["POST /api/v1/tickets", "GET /ws/status?batch=true&ticket=a-ticket&since=7"], server.Requests);
    }

    [Theory]
    [InlineData(404, true)]
    [InlineData(405, true)]
    [InlineData(404, false)]
    [InlineData(405, false)]
    public async Task A_proxy_that_briefly_does_not_know_an_address_is_waited_out_and_no_address_carries_the_token(int status, bool socket)
    {
        await using var server = await ScriptedServer.StartAsync();
        var answers = 0;
        Func<HttpContext, Task> Once(string data) => context =>
        {
            if (++answers > 1)
            {
                return ScriptedServer.OkAsync(context, data);
            }

            context.Response.StatusCode = status;
            return context.Response.WriteAsync("<h1>No such upstream</h1>", Token);
        };
        server.OnTicket = Once("""{"ticket":"a-ticket"}""");
        server.OnPoll = Once("""{"items":[],"seq":7,"more":false}""");
        server.OnSocket = Serving("""{"type":"connected","userId":"u","seq":7}""");
        await using var client = await StartAsync(server, socket: socket);
        var waiting = await client.StateAsync("waiting");
        await client.StateAsync("live", socket ? "websocket" : "long-poll");

        Assert.Equal($"The server answered {status}.", waiting.GetProperty("error").GetString());
        Assert.DoesNotContain(server.Requests, request => request.Contains("a-token", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(404, true)]
    [InlineData(405, true)]
    [InlineData(404, false)]
    [InlineData(405, false)]
    public async Task An_address_that_the_API_itself_does_not_know_is_an_error_and_no_address_carries_the_token(int status, bool socket)
    {
        await using var server = await ScriptedServer.StartAsync();
        server.OnTicket = server.OnPoll = context => ScriptedServer.ProblemAsync(context, status, "nothing here");
        server.OnSocket = Serving("""{"type":"connected","userId":"u","seq":7}""");
        await using var client = await StartAsync(server, socket: socket);
        var failed = await client.NextAsync("failed");

        Assert.Equal(("unsupported", "nothing here"), (failed.GetProperty("failed").GetString(), failed.GetProperty("message").GetString()));
        Assert.DoesNotContain(server.Requests, request => request.Contains("a-token", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Repeats_are_ignored_and_a_connection_continues_from_where_the_last_one_ended()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.OnSocket = async socket =>
        {
            if (!server.Requests[^1].Contains("since=", StringComparison.Ordinal))
            {
                await ScriptedServer.SendAsync(socket, """{"type":"connected","userId":"u","seq":2}""");
                await ScriptedServer.SendAsync(socket, Single(2));
                await ScriptedServer.SendAsync(socket, Single(3));
                await ScriptedServer.SendAsync(socket, Single(null));
                await ScriptedServer.SendAsync(socket, $$"""{"type":"status_batch","payloads":[{{ScriptedServer.Update(3)}},{{ScriptedServer.Update(5)}},{{ScriptedServer.Update(4)}}]}""");
                await ScriptedServer.SendAsync(socket, """{"type":"position","seq":9}""");
                await ScriptedServer.SendAsync(socket, """{"type":"of a later server","seq":1}""");
                await ScriptedServer.CloseAsync(socket, 1011);
            }
            else
            {
                await ScriptedServer.SendAsync(socket, """{"type":"connected","userId":"u","seq":9}""");
                await ScriptedServer.SendAsync(socket, Single(8));
                await ScriptedServer.SendAsync(socket, """{"type":"resync","seq":4}""");
                await ScriptedServer.SendAsync(socket, Single(5));
            }

            await ScriptedServer.UntilClosedAsync(socket);
        };
        await using var client = await StartAsync(server);
        var items = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            var line = await client.NextAsync("item");
            var item = line.GetProperty("item");
            var positioned = item.TryGetProperty("update", out var update) ? update : item;
            items.Add($"{item.GetProperty("type")} {(positioned.TryGetProperty("seq", out var seq) ? seq.GetInt64() : "live")}");
        }

        Assert.Equal(["update 3", "update live", "update 5", "resync 4", "update 5"], items);
        Assert.Equal("GET /ws/status?batch=true&ticket=t&since=9", server.Requests[^1]);
    }

    [Fact]
    public async Task A_server_that_starts_at_another_position_than_requested_causes_a_resync()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.OnSocket = Serving("""{"type":"connected","userId":"u","seq":12}""");
        await using var client = await StartAsync(server, since: 7);

        Assert.Equal("""{"type":"resync","seq":12,"cursor":"12"}""", (await client.ItemAsync()).GetRawText());
    }

    [Theory]
    [InlineData("no JSON")]
    [InlineData("null")]
    [InlineData("""{"type":"status_update"}""")]
    public async Task Invalid_text_ends_the_connection_but_not_the_watch(string message)
    {
        await using var server = await ScriptedServer.StartAsync();
        var isFirst = true;
        server.OnSocket = async socket =>
        {
            await ScriptedServer.SendAsync(socket, """{"type":"connected","userId":"u","seq":2}""");
            await ScriptedServer.SendAsync(socket, isFirst ? message : Single(3));
            isFirst = false;
            await ScriptedServer.UntilClosedAsync(socket);
        };
        await using var client = await StartAsync(server);

        Assert.Equal([3], await client.SeqsAsync(1));
        Assert.Equal(
            ["connecting", "live", "waiting", "connecting", "live"], client.States.Select(state => state.GetProperty("state").GetString()!));
    }

    [Fact]
    public async Task A_silent_connection_that_answers_no_ping_is_abandoned()
    {
        await using var server = await ScriptedServer.StartAsync();
        var pinged = new TaskCompletionSource<string?>();
        server.OnSocket = async socket =>
        {
            await ScriptedServer.SendAsync(socket, """{"type":"connected","userId":"u","seq":2}""");
            if (pinged.Task.IsCompleted)
            {
                await ScriptedServer.SendAsync(socket, Single(3));
            }
            else
            {
                pinged.SetResult(await ScriptedServer.ReceiveTextAsync(socket));
            }

            await ScriptedServer.UntilClosedAsync(socket);
        };
        await using var client = await StartAsync(server, clock: "manual");
        await client.StateAsync("live");
        await client.AdvanceAsync(20_000);
        Assert.Equal("""{"type":"ping"}""", await pinged.Task.WaitAsync(Token));

        await client.AdvanceAsync(10_000);
        var waiting = await client.StateAsync("waiting");
        Assert.Equal("The connection was lost: silent", waiting.GetProperty("error").GetString());
        await client.AdvanceAsync(waiting.GetProperty("delay").GetDouble());
        Assert.Equal([3], await client.SeqsAsync(1));
    }

    [Fact]
    public async Task A_connection_that_answers_pings_stays_open_and_is_pinged_three_times_a_minute()
    {
        await using var server = await ScriptedServer.StartAsync();
        var pings = 0;
        server.OnSocket = async socket =>
        {
            await ScriptedServer.SendAsync(socket, """{"type":"connected","userId":"u","seq":0}""");
            while (await ScriptedServer.ReceiveTextAsync(socket) is not null)
            {
                await ScriptedServer.SendAsync(socket, """{"type":"pong"}""");
                await ScriptedServer.SendAsync(socket, Single(++pings));
            }
        };
        await using var client = await StartAsync(server, clock: "manual");
        await client.StateAsync("live");
        for (var ping = 1; ping <= 6; ping++)
        {
            await client.AdvanceAsync(19_999);
            await client.AdvanceAsync(1);
            Assert.Equal([ping], await client.SeqsAsync(1));
        }

        Assert.Equal(["connecting", "live"], client.States.Select(state => state.GetProperty("state").GetString()!));
    }

    [Fact]
    public async Task An_open_socket_that_never_sends_anything_is_replaced_by_long_poll()
    {
        await using var server = await ScriptedServer.StartAsync();
        var opened = new TaskCompletionSource();
        server.OnSocket = async socket =>
        {
            opened.TrySetResult();
            await ScriptedServer.UntilClosedAsync(socket);
        };
        server.OnPoll = context => ScriptedServer.OkAsync(context, $$"""{"items":[{{ScriptedServer.Update(8)}}],"seq":8,"more":false}""");
        await using var client = await StartAsync(server, since: 7, clock: "manual");
        await opened.Task.WaitAsync(Token);
        await client.AdvanceAsync(10_000);

        Assert.Equal([8], await client.SeqsAsync(1));
        Assert.Equal("long-poll", client.States.Last().GetProperty("transport").GetString());
    }

    [Fact]
    public async Task The_wait_doubles_up_to_a_cap_with_jitter_and_starts_over_after_success()
    {
        await using var server = await ScriptedServer.StartAsync();
        var answers = 0;
        server.OnPoll = context => ++answers == 11
            ? ScriptedServer.OkAsync(context, """{"items":[],"seq":1,"more":false}""")
            : ScriptedServer.ProblemAsync(context, StatusCodes.Status503ServiceUnavailable, "away");
        await using var client = await StartAsync(server, socket: false, random: 0.5, clock: "manual");
        var delays = new List<double>();
        for (var i = 0; i < 12; i++)
        {
            delays.Add((await client.StateAsync("waiting")).GetProperty("delay").GetDouble());
            await client.AdvanceAsync(delays[^1]);
        }

        Assert.Equal([500, 1_000, 2_000, 4_000, 7_500, 7_500, 7_500, 7_500, 7_500, 7_500, 500, 1_000], delays);
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task The_servers_retry_after_is_respected(int status)
    {
        await using var server = await ScriptedServer.StartAsync();
        server.OnTicket = context => ScriptedServer.ProblemAsync(context, status, "later", retryAfter: "7");
        await using var client = await StartAsync(server, random: 0.5);
        var waiting = await client.StateAsync("waiting");

        Assert.Equal((7_500, "later"), (waiting.GetProperty("delay").GetDouble(), waiting.GetProperty("error").GetString()));
        Assert.Equal(["POST /api/v1/tickets"], server.Requests);
    }

    [Fact]
    public async Task A_socket_that_cannot_be_opened_is_tried_again_later_while_long_poll_is_used()
    {
        await using var server = await ScriptedServer.StartAsync();
        var polling = new TaskCompletionSource();
        var released = new TaskCompletionSource();
        server.OnPoll = async context =>
        {
            switch (context.Request.Query["since"].ToString())
            {
                case "":
                    await ScriptedServer.OkAsync(context, """{"items":[],"seq":2,"more":false}""");
                    break;
                case "2":
                    await ScriptedServer.OkAsync(
                        context, $$"""{"items":[{{ScriptedServer.Update(2)}},{{ScriptedServer.Update(3)}}],"seq":3,"more":true}""");
                    break;
                default:
                    polling.TrySetResult();
                    await released.Task.WaitAsync(Token);
                    await ScriptedServer.OkAsync(context, $$"""{"items":[{{ScriptedServer.Update(4)}}],"seq":4,"more":false}""");
                    break;
            }
        };
        await using var client = await StartAsync(server, clock: "manual");
        await client.StateAsync("live", "long-poll");
        Assert.Equal([3], await client.SeqsAsync(1));
        await polling.Task.WaitAsync(Token);

        server.OnSocket = Serving("""{"type":"connected","userId":"u","seq":4}""", Single(5));
        await client.AdvanceAsync(15_000);
        released.SetResult();
        Assert.Equal([4], await client.SeqsAsync(1));
        await client.StateAsync("live", "websocket");
        Assert.Equal([5], await client.SeqsAsync(1));

        Assert.Equal(["connecting", "live", "live"], client.States.Select(state => state.GetProperty("state").GetString()!));
    }

    [Fact]
    public async Task A_socket_that_is_cut_right_after_opening_is_replaced_by_long_poll_and_tried_again_later()
    {
        await using var server = await ScriptedServer.StartAsync();
        var polls = Channel.CreateUnbounded<TaskCompletionSource>();
        var isCut = true;
        server.OnSocket = async socket =>
        {
            var since = server.Requests[^1].Split("since=")[1];
            await ScriptedServer.SendAsync(socket, $$"""{"type":"connected","userId":"u","seq":{{since}}}""");
            if (!Volatile.Read(ref isCut))
            {
                await ScriptedServer.UntilClosedAsync(socket);
            }

            // Otherwise the connection ends here, after the message above and without a close frame.
        };
        server.OnPoll = async context =>
        {
            // The first poll checks whether the API is reachable; each later one waits for the test.
            var seq = int.Parse(context.Request.Query["since"].ToString(), CultureInfo.InvariantCulture);
            if (context.Request.Query["timeout"] == "0")
            {
                await ScriptedServer.OkAsync(context, $$"""{"items":[],"seq":{{seq}},"more":false}""");
                return;
            }

            var released = new TaskCompletionSource();
            polls.Writer.TryWrite(released);
            await released.Task.WaitAsync(Token);
            await ScriptedServer.OkAsync(context, $$"""{"items":[{{ScriptedServer.Update(seq + 1)}}],"seq":{{seq + 1}},"more":false}""");
        };
        await using var client = await StartAsync(server, since: 2, clock: "manual");
        for (var cut = 1; cut <= 3; cut++)
        {
            await client.StateAsync("live", "websocket");
            if (cut < 3)
            {
                await client.AdvanceAsync((await client.StateAsync("waiting")).GetProperty("delay").GetDouble());
            }
        }

        // Tried again after 15 s: one more cut is enough, and the next try is after 30 s.
        await client.StateAsync("live", "long-poll");
        var poll = await polls.Reader.ReadAsync(Token);
        await client.AdvanceAsync(15_000);
        await client.SettleAsync();
        poll.SetResult();
        Assert.Equal([3], await client.SeqsAsync(1));
        await client.StateAsync("live", "websocket");
        await client.StateAsync("live", "long-poll");
        Assert.Equal(4, server.Requests.Count(request => request.StartsWith("GET /ws/status", StringComparison.Ordinal)));
        poll = await polls.Reader.ReadAsync(Token);
        await client.AdvanceAsync(29_999);
        await client.SettleAsync();
        poll.SetResult();
        Assert.Equal([4], await client.SeqsAsync(1));

        Volatile.Write(ref isCut, false);
        poll = await polls.Reader.ReadAsync(Token);
        Assert.Equal(4, server.Requests.Count(request => request.StartsWith("GET /ws/status", StringComparison.Ordinal)));
        await client.AdvanceAsync(1);
        await client.SettleAsync();
        poll.SetResult();
        Assert.Equal([5], await client.SeqsAsync(1));
        await client.StateAsync("live", "websocket");
    }

    [Fact]
    public async Task A_socket_that_was_cut_after_delivering_something_is_opened_again()
    {
        await using var server = await ScriptedServer.StartAsync();
        var seq = 2;
        server.OnSocket = async socket =>
        {
            await ScriptedServer.SendAsync(socket, $$"""{"type":"connected","userId":"u","seq":{{seq++}}}""");
            await ScriptedServer.SendAsync(socket, Single(seq));
        };
        await using var client = await StartAsync(server, since: 2);
        Assert.Equal([3, 4, 5, 6, 7, 8], await client.SeqsAsync(6));
        Assert.DoesNotContain(server.Requests, request => request.StartsWith("GET /api/v1/status/poll", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_that_answers_empty_polls_at_once_is_not_polled_in_a_tight_loop()
    {
        await using var server = await ScriptedServer.StartAsync();
        var polls = 0;
        server.OnPoll = context => ScriptedServer.OkAsync(
            context, ++polls < 4 ? """{"items":[],"seq":2,"more":false}""" : $$"""{"items":[{{ScriptedServer.Update(3)}}],"seq":3,"more":false}""");
        await using var client = await StartAsync(server, socket: false, random: 0.5);
        var started = TimeProvider.System.GetTimestamp();
        Assert.Equal([3], await client.SeqsAsync(1));

        // Two polls came back empty at once; the client waits 250 ms after each.
        Assert.True(TimeProvider.System.GetElapsedTime(started) > TimeSpan.FromMilliseconds(490));
    }

    [Theory]
    [InlineData(400, "refused")]
    [InlineData(403, "forbidden")]
    public async Task A_refusal_by_the_API_is_an_error_with_its_reason(int status, string code)
    {
        await using var server = await ScriptedServer.StartAsync();
        server.OnTicket = context => ScriptedServer.ProblemAsync(context, status, "the reason");
        await using var client = await StartAsync(server);
        var failed = await client.NextAsync("failed");

        Assert.Equal((code, "the reason"), (failed.GetProperty("failed").GetString(), failed.GetProperty("message").GetString()));
    }

    [Fact]
    public async Task Answers_from_something_in_front_of_the_API_are_waited_out()
    {
        await using var server = await ScriptedServer.StartAsync();
        var answers = 0;
        server.OnTicket = async context =>
        {
            switch (++answers)
            {
                case 1:
                    context.Response.StatusCode = StatusCodes.Status403Forbidden;
                    await context.Response.WriteAsync("<h1>Please sign in to the hotel</h1>", Token);
                    break;
                case 2:
                    await context.Response.WriteAsync("<h1>Welcome to the hotel</h1>", Token);
                    break;
                default:
                    await ScriptedServer.OkAsync(context, """{"ticket":"t"}""");
                    break;
            }
        };
        server.OnSocket = Serving("""{"type":"connected","userId":"u","seq":2}""");
        await using var client = await StartAsync(server);
        await client.StateAsync("live", "websocket");

        Assert.Equal(2, client.States.Count(state => state.GetProperty("state").GetString() == "waiting"));
    }

    [Fact]
    public async Task A_reconnect_as_another_user_is_an_error_and_yields_none_of_their_updates()
    {
        await using var server = await ScriptedServer.StartAsync();
        var user = "alice";
        server.OnSocket = async socket =>
        {
            var seq = user == "alice" ? 2 : 5;
            await ScriptedServer.SendAsync(socket, $$"""{"type":"connected","userId":"{{user}}","seq":{{seq}}}""");
            await ScriptedServer.SendAsync(socket, Single(seq + 1, user));
            user = "bob";
            await ScriptedServer.CloseAsync(socket, 1011);
            await ScriptedServer.UntilClosedAsync(socket);
        };
        await using var client = await StartAsync(server);
        Assert.Equal([3], await client.SeqsAsync(1));
        var failed = await client.NextAsync("failed");

        Assert.Equal(
            ("forbidden", "The token belongs to another user: this client follows alice."),
            (failed.GetProperty("failed").GetString(), failed.GetProperty("message").GetString()));
        Assert.Single(client.Lines, line => line.TryGetProperty("item", out _));
    }

    [Fact]
    public async Task A_poll_that_returns_updates_of_another_user_is_an_error_and_yields_none_of_them()
    {
        await using var server = await ScriptedServer.StartAsync();
        var polls = 0;
        server.OnPoll = context => ScriptedServer.OkAsync(
            context,
            ++polls == 1
                ? $$"""{"items":[{{ScriptedServer.Update(3, userId: "alice")}}],"seq":3,"more":false}"""
                : $$"""{"items":[{{ScriptedServer.Update(4, userId: "bob")}}],"seq":4,"more":false}""");
        await using var client = await StartAsync(server, since: 2, socket: false);
        Assert.Equal([3], await client.SeqsAsync(1));

        Assert.Equal("forbidden", (await client.NextAsync("failed")).GetProperty("failed").GetString());
        Assert.Single(client.Lines, line => line.TryGetProperty("item", out _));
    }

    [Fact]
    public async Task A_stopped_watch_ends_without_an_error_and_closes_its_socket()
    {
        await using var server = await ScriptedServer.StartAsync();
        var closed = new TaskCompletionSource();
        server.OnSocket = async socket =>
        {
            await ScriptedServer.SendAsync(socket, """{"type":"connected","userId":"u","seq":2}""");
            await ScriptedServer.UntilClosedAsync(socket);
            Assert.Equal(WebSocketCloseStatus.NormalClosure, socket.CloseStatus);
            closed.SetResult();
        };
        await using var client = await StartAsync(server);
        await client.StateAsync("live");
        var rest = await client.StopAsync();
        await closed.Task.WaitAsync(Token);

        Assert.Equal(["""{"state":"stopped","seq":2}""", """{"ended":true,"seq":2}"""], rest.Select(line => line.GetRawText()));
    }

    [Theory]
    [InlineData("""{"token":"t","baseUrl":"ftp://host"}""", "baseUrl must be an http or https address.")]
    [InlineData("""{"token":"t"}""", "baseUrl must be an http or https address.")]
    [InlineData("""{"token":"t","baseUrl":"http://host","since":-1}""", "since must be a cursor, a whole number from 0, or null.")]
    [InlineData("""{"token":"t","baseUrl":"http://host","since":"7-x"}""", "since must be a cursor, a whole number from 0, or null.")]
    [InlineData("""{"token":"t","baseUrl":"http://host","filter":""}""", "generationId must be a generation's id.")]
    public async Task An_invalid_option_is_named_in_the_error(string options, string message)
    {
        using var json = JsonDocument.Parse(options);
        await using var client = await JavaScriptWatch.StartAsync(json.RootElement);
        var failed = await client.NextAsync("failed");

        Assert.Equal(("TypeError", message), (failed.GetProperty("failed").GetString(), failed.GetProperty("message").GetString()));
    }

    private static string Single(long? seq, string userId = "u") =>
        $$"""{"type":"status_update","payload":{{ScriptedServer.Update(seq, userId: userId)}}}""";

    private static Func<WebSocket, Task> Serving(params string[] messages) => async socket =>
    {
        foreach (var message in messages)
        {
            await ScriptedServer.SendAsync(socket, message);
        }

        await ScriptedServer.UntilClosedAsync(socket);
    };

    private static Task<JavaScriptWatch> StartAsync(
        ScriptedServer server, long? since = null, bool socket = true, double random = 0.01, string? clock = null) =>
        JavaScriptWatch.StartAsync(new { baseUrl = server.Address, token = "a-token", since, socket, random, clock });
}
