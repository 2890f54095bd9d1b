using System.Security.Claims;
using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Benchmarks.Servers;

/// <summary>PostgreSQL and Redis of a scenario's own, with their normal settings and an empty, migrated database; starts APIs over them.</summary>
internal sealed class BenchmarkSystem : IAsyncDisposable
{
    private const string Issuer = "statusupdates-benchmark";
    private const string Audience = "statusupdates";

    private readonly PostgresServer _postgres;
    private readonly RedisServer _redis;

    private BenchmarkSystem(PostgresServer postgres, RedisServer redis, byte[] key)
    {
        _postgres = postgres;
        _redis = redis;
        Key = key;
    }

    public string Database => _postgres.ConnectionStringFor("statusdb");

    public string Redis => _redis.ConnectionString;

    /// <summary>Signs <see cref="Token(string)"/>.</summary>
    public byte[] Key { get; }

    public static async Task<BenchmarkSystem> StartAsync(
        CancellationToken cancellationToken, byte[]? key = null, IReadOnlyDictionary<string, string>? settings = null)
    {
        var postgres = await PostgresServer.StartAsync(
            new PostgresServerOptions { Settings = settings ?? new Dictionary<string, string>() }, cancellationToken);
        try
        {
            var redis = await RedisServer.StartAsync(new RedisServerOptions(), cancellationToken);
            var system = new BenchmarkSystem(postgres, redis, key ?? RandomNumberGenerator.GetBytes(48));
            await system.CreateDatabaseAsync(cancellationToken);
            return system;
        }
        catch
        {
            await postgres.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts an API with normal settings, those of <paramref name="settings"/> excepted.</summary>
    public Task<ServerProcess> StartApiAsync(IReadOnlyDictionary<string, string> settings, CancellationToken cancellationToken)
    {
        var environment = new Dictionary<string, string>(settings)
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["Logging__LogLevel__Default"] = "Warning",
            ["ConnectionStrings__statusdb"] = Database,
            ["ConnectionStrings__redis"] = Redis,
            ["Authentication__Schemes__Bearer__ValidIssuer"] = Issuer,
            ["Authentication__Schemes__Bearer__ValidAudiences__0"] = Audience,
            ["Authentication__Schemes__Bearer__SigningKeys__0__Issuer"] = Issuer,
            ["Authentication__Schemes__Bearer__SigningKeys__0__Value"] = Convert.ToBase64String(Key),
        };
        return ServerProcess.StartAsync(
            Path.Combine(AppContext.BaseDirectory, "StatusUpdates.Api.dll"), [], environment, "/health", cancellationToken);
    }

    /// <summary>Starts a worker whose providers return at once, as a part of this program.</summary>
    public Task<ServerProcess> StartWorkerAsync(IReadOnlyDictionary<string, string> settings, CancellationToken cancellationToken) =>
        ServerProcess.StartPartAsync(
            "run-jobs",
            cancellationToken,
            new Dictionary<string, string>(settings)
            {
                ["ConnectionStrings__statusdb"] = Database,
                ["ConnectionStrings__redis"] = Redis,
                ["Results__PublicBaseUrl"] = "https://status.example.com",
            });

    public string Token(string userId) => Token(Key, userId);

    public static string Token(byte[] key, string userId) => new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
    {
        Issuer = Issuer,
        Audience = Audience,
        Subject = new ClaimsIdentity([new Claim("sub", userId)]),
        Expires = DateTime.UtcNow.AddHours(1),
        SigningCredentials = new SigningCredentials(new SymmetricSecurityKey(key), SecurityAlgorithms.HmacSha256),
    });

    /// <summary>Lets PostgreSQL write to disk and vacuum what there is: what comes next has its own alone.</summary>
    public async Task SettleAsync(CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(Database);
        await connection.OpenAsync(cancellationToken);
        foreach (var sql in (string[])["VACUUM (ANALYZE)", "CHECKPOINT"])
        {
            await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    public Task KillRedisAsync() => _redis.KillAsync();

    /// <summary>Starts Redis again, where it was.</summary>
    public Task RestartRedisAsync(CancellationToken cancellationToken) => _redis.RestartAsync(cancellationToken);

    /// <summary>Processor time until now.</summary>
    public CpuReading ReadCpu(params IReadOnlyList<ServerProcess> servers) => new(
        servers.Sum(server => server.ProcessorSeconds()),
        ProcessorTime.OfTree(_postgres.ProcessId),
        _redis.ProcessId == 0 ? 0 : ProcessorTime.OfTree(_redis.ProcessId),
        ProcessorTime.Own(),
        ProcessorTime.OfMachine());

    public async ValueTask DisposeAsync()
    {
        await _redis.DisposeAsync();
        await _postgres.DisposeAsync();
    }

    private async Task CreateDatabaseAsync(CancellationToken cancellationToken)
    {
        await using (var admin = NpgsqlDataSource.Create(_postgres.ConnectionString))
        {
            await using var create = admin.CreateCommand("CREATE DATABASE statusdb");
            await create.ExecuteNonQueryAsync(cancellationToken);
        }

        await using var database = new StatusDatabase(Database);
        var builder = new DbContextOptionsBuilder<StatusDbContext>();
        database.Configure(builder);
        await using var context = new StatusDbContext(builder.Options);
        await context.Database.MigrateAsync(cancellationToken);
    }
}
