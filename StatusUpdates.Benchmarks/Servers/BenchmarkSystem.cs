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

/// <summary>A scenario's own PostgreSQL and Redis, with default settings and an empty, migrated database. Starts APIs and workers that use them.</summary>
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
        RedisServer? redis = null;
        try
        {
            redis = await RedisServer.StartAsync(new RedisServerOptions(), cancellationToken);
            var system = new BenchmarkSystem(postgres, redis, key ?? RandomNumberGenerator.GetBytes(48));
            await system.CreateDatabaseAsync(cancellationToken);
            return system;
        }
        catch
        {
            if (redis is not null)
            {
                await redis.DisposeAsync();
            }

            await postgres.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts an API with default settings, except for <paramref name="settings"/>.</summary>
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

    /// <summary>Starts a helper process that is a worker with default settings, except for <paramref name="settings"/>.</summary>
    public Task<ServerProcess> StartWorkerAsync(string helper, IReadOnlyDictionary<string, string> settings, CancellationToken cancellationToken) =>
        ServerProcess.StartHelperAsync(
            helper,
            cancellationToken,
            new Dictionary<string, string>(settings)
            {
                ["ConnectionStrings__statusdb"] = Database,
                ["ConnectionStrings__redis"] = Redis,
                ["Results__PublicBaseUrl"] = "https://status.example.com",
                ["Results__Folder"] = Path.GetTempPath(), // nothing is stored
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

    /// <summary>Runs VACUUM and CHECKPOINT, so that the next measurement does not pay for earlier writes.</summary>
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

    /// <summary>Starts Redis again, on the same port.</summary>
    public Task RestartRedisAsync(CancellationToken cancellationToken) => _redis.RestartAsync(cancellationToken);

    /// <summary>Reads the processor time used so far.</summary>
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
