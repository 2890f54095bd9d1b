using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using StatusUpdates.Benchmarks.Load;
using StatusUpdates.Benchmarks.Servers;

namespace StatusUpdates.Benchmarks.Sweep;

/// <summary>
/// Holds sockets that receive nothing but pings, in its own process: a process may have fewer open files than a scenario needs clients. It is
/// ready when all sockets are open.
/// </summary>
internal static class SocketHolder
{
    private const int BufferSize = 256;
    private const string Server = "HOLD_SERVER";
    private const string First = "HOLD_FIRST";
    private const string Count = "HOLD_COUNT";
    private const string Head = "HOLD_HEAD";
    private const string Key = "HOLD_KEY";

    public static Task<ServerProcess> StartAsync(
        ServerProcess server, ReadOnlyMemory<LoadUser> users, int first, byte[] key, CancellationToken cancellationToken) =>
        ServerProcess.StartHelperAsync(
            "hold-sockets",
            cancellationToken,
            new Dictionary<string, string>
            {
                [Server] = server.Address.ToString(),
                [First] = first.ToString(CultureInfo.InvariantCulture),
                [Count] = users.Length.ToString(CultureInfo.InvariantCulture),
                [Head] = users.Span[0].Head.ToString(CultureInfo.InvariantCulture),
                [Key] = Convert.ToBase64String(key),
            });

    public static async Task RunAsync()
    {
        var key = Convert.FromBase64String(Environment.GetEnvironmentVariable(Key)!);
        LoadUser[] users = [.. Enumerable.Range(Number(First), Number(Count)).Select(i => new LoadUser($"user-{i}") { Head = Number(Head) })];
        await using var followers = new Followers();
        await followers.OpenAsync(
            new Uri(Environment.GetEnvironmentVariable(Server)!), users, user => BenchmarkSystem.Token(key, user), BufferSize, CancellationToken.None);

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        var app = builder.Build();
        app.MapGet("/ready", () => "ready");
        app.MapPost("/check", () => followers.HasFailed ? Results.Conflict() : Results.Ok());
        await app.RunAsync();
    }

    private static int Number(string name) => int.Parse(Environment.GetEnvironmentVariable(name)!, CultureInfo.InvariantCulture);
}
