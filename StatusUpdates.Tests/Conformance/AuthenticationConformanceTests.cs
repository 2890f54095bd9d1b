using System.Net;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.EndToEnd;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapter "Authentication".</summary>
public sealed class AuthenticationConformanceTests(RunningSystem system)
{
    private readonly ConformanceTarget _target = new(system);

    private static CancellationToken Token => TestTime.Token;

    public static TheoryData<string> Transports => ConformanceTransport.All;

    [Theory]
    [MemberData(nameof(Transports))]
    [Requirement("A1")]
    public async Task Without_a_credential_every_request_is_refused(string transport)
    {
        using var http = await _target.AnonymousAsync();
        using var response = await ConformanceTransport.RequestAsync(transport, http, "");
        await response.ProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
        Assert.Equal("Bearer", response.Headers.WwwAuthenticate.ToString());
        foreach (var path in new[] { ConformanceUser.Generations, $"{ConformanceUser.Generations}/gen-0/stream" })
        {
            using var rest = await http.GetAsync(path, Token);
            await rest.ProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
        }
    }

    [Theory]
    [MemberData(nameof(Transports))]
    [Requirement("A2")]
    public async Task An_invalid_token_is_refused(string transport)
    {
        await using var user = await _target.UserAsync();
        foreach (var bad in new[] { "garbage", "a.b.c", user.Token[..^4], user.Token + "x" })
        {
            using var http = user.With(bad);
            using var response = await ConformanceTransport.RequestAsync(transport, http, "");
            await response.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_token");
        }
    }

    [Fact]
    [Requirement("A3")]
    public async Task A_token_in_the_query_is_accepted_for_sockets_and_streams_only()
    {
        await using var user = await _target.UserAsync();
        var id = (string)(await user.SubmitAsync())["id"]!;
        using var http = user.With(null);
        using var socket = await Handshake.ShakeAsync(http, $"?token={user.Token}");
        Assert.Equal(HttpStatusCode.SwitchingProtocols, socket.StatusCode);
        foreach (var path in new[] { ConformanceUser.Stream, $"{ConformanceUser.Generations}/{id}/stream" })
        {
            using var stream = await EventClient.SendAsync(http, $"{path}?token={user.Token}");
            Assert.Equal(HttpStatusCode.OK, stream.StatusCode);
        }

        foreach (var path in new[] { ConformanceUser.Poll, ConformanceUser.Generations, $"{ConformanceUser.Generations}/{id}" })
        {
            using var refused = await http.GetAsync($"{path}?token={user.Token}", Token);
            await refused.ProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
        }
    }

    [Fact]
    [Requirement("A4")]
    public async Task The_header_wins_over_the_query_and_a_ticket_sent_with_it_is_not_used_up()
    {
        await using var user = await _target.UserAsync();
        await using (var besideGarbage = await user.ConnectAsync("?token=garbage"))
        {
        }

        var ticket = await user.TicketAsync();
        await using (var besideTicket = await user.ConnectAsync($"?ticket={ticket}"))
        {
        }

        using var bad = user.With("garbage");
        using var refused = await Handshake.ShakeAsync(bad, $"?token={user.Token}");
        await refused.ProblemAsync(HttpStatusCode.Unauthorized, "invalid_token");

        using var anonymous = user.With(null);
        using var unused = await Handshake.ShakeAsync(anonymous, $"?ticket={ticket}");
        Assert.Equal(HttpStatusCode.SwitchingProtocols, unused.StatusCode);
    }

    [Fact]
    [Requirement("A5")]
    public async Task A_token_and_a_ticket_in_one_query_are_refused_and_the_ticket_is_not_used_up()
    {
        await using var user = await _target.UserAsync();
        var ticket = await user.TicketAsync();
        using var http = user.With(null);
        foreach (var transport in new[] { ConformanceTransport.WebSocket, ConformanceTransport.Events })
        {
            using var both = await ConformanceTransport.RequestAsync(transport, http, $"?ticket={ticket}&token={user.Token}");
            var problem = await both.ProblemAsync(HttpStatusCode.BadRequest, "invalid_request");
            Assert.Equal(["ticket"], problem["errors"]!.AsObject().Select(error => error.Key));
        }

        using var unused = await Handshake.ShakeAsync(http, $"?ticket={ticket}");
        Assert.Equal(HttpStatusCode.SwitchingProtocols, unused.StatusCode);
    }

    [Fact]
    [Requirement("A6", "G4")]
    public async Task Another_users_generation_is_not_found_just_like_one_that_does_not_exist()
    {
        var users = await _target.UsersAsync(2);
        await using var owner = users[0];
        await using var other = users[1];
        var id = (string)(await owner.SubmitAsync())["id"]!;
        foreach (var hidden in new[] { id, "gen-none" })
        {
            foreach (var path in new[] { "", "/history", "/stream" })
            {
                using var response = await other.Http.GetAsync($"{ConformanceUser.Generations}/{hidden}{path}", Token);
                await response.ProblemAsync(HttpStatusCode.NotFound, "not_found");
            }

            using var cancel = await other.CancelAsync(hidden);
            await cancel.ProblemAsync(HttpStatusCode.NotFound, "not_found");
        }

        Assert.NotEqual("canceled", (string?)(await owner.GetAsync(id))["status"]);
    }
}
