using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapter "Tickets".</summary>
public sealed class TicketConformanceTests(RunningSystem system)
{
    private readonly ConformanceTarget _target = new(system);

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    [Requirement("T1", "T2")]
    public async Task Only_one_of_several_simultaneous_uses_of_a_ticket_wins()
    {
        await using var user = await _target.UserAsync();
        var ticket = await user.TicketAsync();
        using var http = user.With(null);
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => ConformanceTransport.RequestAsync(
            i % 2 == 0 ? ConformanceTransport.WebSocket : ConformanceTransport.Events, http, $"?ticket={ticket}")));
        Assert.Single(answers, answer => answer.StatusCode is HttpStatusCode.SwitchingProtocols or HttpStatusCode.OK);
        foreach (var lost in answers.Where(answer => answer.StatusCode is not (HttpStatusCode.SwitchingProtocols or HttpStatusCode.OK)))
        {
            await lost.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_ticket");
        }

        Assert.All(answers, answer => answer.Dispose());
    }

    [Fact]
    [Requirement("T1")]
    public async Task A_ticket_opens_whatever_its_users_token_would_open()
    {
        await using var user = await _target.UserAsync();
        await using var socket = await SocketClient.ConnectAsync(user.Address, user.UserId, token: "", $"?ticket={await user.TicketAsync()}");
        var submitted = await user.SubmitAsync();
        using var http = user.With(null);
        await using var stream = await EventClient.ConnectAsync(
            http, user.UserId, $"{ConformanceUser.Stream}?since={socket.Start}&ticket={await user.TicketAsync()}");
        await using var one = await EventClient.ConnectAsync(
            http, user.UserId, $"{ConformanceUser.Generations}/{(string)submitted["id"]!}/stream?ticket={await user.TicketAsync()}");
        Assert.Equal((long)submitted["seq"]!, await socket.NextSeqAsync());
        Assert.Equal((long)submitted["seq"]!, await stream.NextSeqAsync());
        Assert.Equal((long)submitted["seq"]!, await one.NextSeqAsync());
    }

    [Fact]
    [Requirement("T6")]
    public async Task A_connection_opened_with_a_ticket_accepts_a_fresh_token_in_place()
    {
        await using var user = await _target.UserAsync();
        await using var socket = await SocketClient.ConnectAsync(user.Address, user.UserId, token: "", $"?ticket={await user.TicketAsync()}");
        await socket.SendAsync(new JsonObject { ["type"] = "authenticate", ["token"] = await _target.FreshTokenAsync(user) }.ToJsonString());
        Assert.Equal("authenticated", (string?)(await socket.NextAsync())["type"]);
    }

    [Theory]
    [InlineData(ConformanceTransport.WebSocket)]
    [InlineData(ConformanceTransport.Events)]
    [Requirement("T2")]
    public async Task An_invalid_ticket_and_one_given_twice_are_refused(string transport)
    {
        await using var user = await _target.UserAsync();
        var ticket = await user.TicketAsync();
        using var http = user.With(null);
        foreach (var query in new[] { "?ticket=", "?ticket=garbage", $"?ticket={ticket}x", $"?ticket={ticket[1..]}", $"?ticket={ticket}&ticket={ticket}", $"?ticket={user.Token}" })
        {
            using var refused = await ConformanceTransport.RequestAsync(transport, http, query);
            await refused.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_ticket");
        }
    }

    [Fact]
    [Requirement("T3", "T7")]
    public async Task A_ticket_lasts_about_thirty_seconds_and_needs_no_escaping()
    {
        await using var user = await _target.UserAsync();
        using var response = await user.Http.PostAsync(ConformanceUser.Tickets, null, Token);
        var data = await response.DataAsync();
        Assert.Equal(["ticket", "expiresAt"], data.AsObject().Select(member => member.Key));
        var expiresAt = DateTimeOffset.Parse((string)data["expiresAt"]!, CultureInfo.InvariantCulture);

        // Measured by the server's own clock; the Date header has whole seconds.
        Assert.InRange(expiresAt - response.Headers.Date!.Value, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(40));
        var ticket = (string)data["ticket"]!;
        Assert.Equal(ticket, Uri.EscapeDataString(ticket));
    }

    [Fact]
    [Requirement("T4")]
    public async Task A_ticket_is_not_a_token_and_is_not_used_up_when_presented_as_one()
    {
        await using var user = await _target.UserAsync();
        var ticket = await user.TicketAsync();
        using var anonymous = user.With(null);
        using var asToken = user.With(ticket);
        foreach (var path in new[] { ConformanceUser.Generations, ConformanceUser.Poll })
        {
            using var inQuery = await anonymous.GetAsync($"{path}?ticket={ticket}", Token);
            await inQuery.ProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
            using var inHeader = await asToken.GetAsync(path, Token);
            await inHeader.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_token");
        }

        using var forAnother = await asToken.PostAsync(ConformanceUser.Tickets, null, Token);
        await forAnother.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_token");
        await using var socket = await user.ConnectAsync();
        await socket.SendAsync(new JsonObject { ["type"] = "authenticate", ["token"] = ticket }.ToJsonString());
        Assert.Equal("invalid_token", (string?)(await socket.NextAsync())["code"]);

        using var unused = await Handshake.ShakeAsync(anonymous, $"?ticket={ticket}");
        Assert.Equal(HttpStatusCode.SwitchingProtocols, unused.StatusCode);
    }
}
