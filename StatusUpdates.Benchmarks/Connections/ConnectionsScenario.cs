using System.Security.Claims;
using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Npgsql;
using StatusUpdates.LocalHosting.Native;

namespace StatusUpdates.Benchmarks.Connections;

/// <summary>
/// How much memory an idle, authenticated WebSocket costs the API, each of another user, beside a bare Kestrel WebSocket. The growth of
/// the process's resident set from no sockets to N, each server in a process of its own and a fresh one for each N.
/// </summary>
internal static class ConnectionsScenario
{
    private const string Issuer = "statusupdates-dev";
    private const string Audience = "statusupdates";

    public static async Task<Report> RunAsync(ScenarioArguments arguments, CancellationToken cancellationToken)
    {
        var runs = arguments.Int("runs", 5);
        var settle = TimeSpan.FromSeconds(arguments.Int("settle", 5));
        int[] counts = [arguments.Int("small", 1_000), arguments.Int("large", 10_000)];

        await using var postgres = await PostgresServer.StartAsync(new PostgresServerOptions(), cancellationToken);
        await using var redis = await RedisServer.StartAsync(new RedisServerOptions(), cancellationToken);
        await using (var admin = NpgsqlDataSource.Create(postgres.ConnectionString))
        {
            await using var create = admin.CreateCommand("CREATE DATABASE statusdb");
            await create.ExecuteNonQueryAsync(cancellationToken);
        }

        var key = RandomNumberGenerator.GetBytes(48);
        var api = ApiEnvironment(postgres.ConnectionStringFor("statusdb"), redis.ConnectionString, key);
        var rows = new List<IReadOnlyList<string>>();
        foreach (var count in counts)
        {
            var bare = new List<double>();
            var ours = new List<double>();
            for (var run = 1; run <= runs; run++)
            {
                // In turn, so that both see the same machine.
                bare.Add(await MeasureAsync(() => StartBareAsync(cancellationToken), "/ws", count, _ => null, settle, cancellationToken));
                ours.Add(await MeasureAsync(
                    () => StartApiAsync(api, cancellationToken), "/ws/status", count, i => Token(key, $"user-{i}"), settle, cancellationToken));
                Console.WriteLine($"{count} sockets, run {run} of {runs}: bare {bare[^1]:0.0} KiB, API {ours[^1]:0.0} KiB each");
            }

            var (floor, cost) = (Median(bare), Median(ours));
            rows.Add([$"{count}", Report.Number(floor), Report.Number(cost), Report.Number(cost - floor), Report.Number(cost / floor, "0.00")]);
        }

        return new Report(
            "Resident memory for each idle socket, KiB (medians)",
            ["sockets", "bare Kestrel", "API", "difference", "ratio"],
            rows,
            [
                "bare Kestrel: a WebSocket that waits in an empty receive, without user, feed or time limit.",
                "API: /ws/status with a JWT, every socket of another user, hence with a feed and a Redis subscription of its own.",
            ]);
    }

    private static async Task<double> MeasureAsync(
        Func<Task<ServerProcess>> start,
        string path,
        int count,
        Func<int, string?> tokenOf,
        TimeSpan settle,
        CancellationToken cancellationToken)
    {
        await using var server = await start();

        // A few come and go first: what the first socket of a process costs (code, pools) is no socket's own.
        using (var warmUp = new IdleSockets())
        {
            await warmUp.OpenAsync(server.Address, path, 200, tokenOf, 16, cancellationToken);
        }

        await Task.Delay(settle, cancellationToken);
        var before = server.ResidentBytes();
        using var sockets = new IdleSockets();
        await sockets.OpenAsync(server.Address, path, count, tokenOf, 32, cancellationToken);
        await Task.Delay(settle, cancellationToken);
        return (server.ResidentBytes() - before) / 1024.0 / count;
    }

    private static Task<ServerProcess> StartBareAsync(CancellationToken cancellationToken) =>
        ServerProcess.StartAsync(
            typeof(BareServer).Assembly.Location, ["serve-bare"], new Dictionary<string, string>(), "/ready", cancellationToken);

    private static Task<ServerProcess> StartApiAsync(IReadOnlyDictionary<string, string> environment, CancellationToken cancellationToken) =>
        ServerProcess.StartAsync(
            Path.Combine(AppContext.BaseDirectory, "StatusUpdates.Api.dll"), [], environment, "/health", cancellationToken);

    private static Dictionary<string, string> ApiEnvironment(string database, string redis, byte[] key) => new()
    {
        ["ASPNETCORE_ENVIRONMENT"] = "Development",
        ["Logging__LogLevel__Default"] = "Warning",
        ["ConnectionStrings__statusdb"] = database,
        ["ConnectionStrings__redis"] = redis,
        ["Authentication__Schemes__Bearer__ValidIssuer"] = Issuer,
        ["Authentication__Schemes__Bearer__ValidAudiences__0"] = Audience,
        ["Authentication__Schemes__Bearer__SigningKeys__0__Issuer"] = Issuer,
        ["Authentication__Schemes__Bearer__SigningKeys__0__Value"] = Convert.ToBase64String(key),
    };

    private static string Token(byte[] key, string userId) => new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
    {
        Issuer = Issuer,
        Audience = Audience,
        Subject = new ClaimsIdentity([new Claim("sub", userId)]),
        Expires = DateTime.UtcNow.AddHours(1),
        SigningCredentials = new SigningCredentials(new SymmetricSecurityKey(key), SecurityAlgorithms.HmacSha256),
    });

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
