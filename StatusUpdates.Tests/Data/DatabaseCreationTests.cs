using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Data;

public abstract class DatabaseCreationTests(TestServers servers, PostgresAge age)
{
    private const string Password = "a-password";

    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData("statusdb")]
    [InlineData("with \"Quotes\"; DROP")]
    public async Task A_missing_database_is_created_in_UTF8_with_the_schema(string name)
    {
        await using var admin = await servers.CreateDatabaseAsync(age, Token);
        await using var missing = new MissingDatabase(admin, name);

        await Migrator(missing.Database).MigrateAsync(Token);

        Assert.Equal("UTF8", await missing.ScalarAsync("SHOW server_encoding"));
        Assert.Equal("status_events", await missing.ScalarAsync("SELECT to_regclass('status_events')::text"));
    }

    [Fact]
    public async Task Only_one_of_many_instances_that_start_together_creates_the_database_and_all_start()
    {
        await using var admin = await servers.CreateDatabaseAsync(age, Token);
        for (var round = 0; round < 3; round++)
        {
            await using var missing = new MissingDatabase(admin, "race");

            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
            {
                await using var instance = new StatusDatabase(missing.ConnectionString);
                await Migrator(instance).StartingAsync(Token);
            })));

            Assert.Equal("status_events", await missing.ScalarAsync("SELECT to_regclass('status_events')::text"));
        }
    }

    [Fact]
    public async Task A_database_from_before_the_first_release_is_refused_with_what_to_do_and_left_as_it_is()
    {
        await using var db = await servers.CreateDatabaseAsync(age, Token);
        await db.ExecuteAsync("""UPDATE "__EFMigrationsHistory" SET migration_id = '20260101000000_Other'""", Token);
        await using var database = new StatusDatabase(db.ConnectionString);

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => Migrator(database).StartingAsync(Token));

        Assert.EndsWith(
            "was created by a version before the first release (20260101000000_Other) and cannot be migrated. Drop the database; in development, delete the folder .local.",
            refused.Message,
            StringComparison.Ordinal);
        Assert.Equal("20260101000000_Other", await db.ScalarAsync<string>("""SELECT migration_id FROM "__EFMigrationsHistory" """, Token));
    }

    [Fact]
    public async Task A_role_that_may_create_databases_owns_the_one_it_created()
    {
        await using var admin = await servers.CreateDatabaseAsync(age, Token);
        await using var missing = new MissingDatabase(admin, "owned", await CreateRoleAsync(admin, "CREATEDB"));

        await Migrator(missing.Database).MigrateAsync(Token);

        Assert.Equal(
            missing.Role, await missing.ScalarAsync("SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()"));
    }

    [Fact]
    public async Task A_role_that_may_not_create_databases_gets_one_line_with_the_commands_to_run()
    {
        await using var admin = await servers.CreateDatabaseAsync(age, Token);
        await using var missing = new MissingDatabase(admin, "refused", await CreateRoleAsync(admin, ""));

        var error = await Assert.ThrowsAsync<InvalidOperationException>(
            () => Migrator(missing.Database, TimeSpan.FromMilliseconds(300)).StartingAsync(Token));

        Assert.Contains("StatusDatabase:StartupTimeout", error.Message, StringComparison.Ordinal);
        var reason = Assert.IsType<DatabaseMissingException>(error.InnerException).Message;
        Assert.StartsWith($"The database \"{missing.Name}\" does not exist", reason, StringComparison.Ordinal);
        Assert.Contains($"CREATE DATABASE \"{missing.Name}\" OWNER \"{missing.Role}\"", reason, StringComparison.Ordinal);
        Assert.Contains($"ALTER ROLE \"{missing.Role}\" CREATEDB", reason, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', reason);
    }

    [Fact]
    public async Task A_database_that_someone_else_will_create_is_waited_for()
    {
        await using var admin = await servers.CreateDatabaseAsync(age, Token);
        await using var missing = new MissingDatabase(admin, "awaited", await CreateRoleAsync(admin, ""));
        var starting = Migrator(missing.Database).StartingAsync(Token);

        await admin.ExecuteAsync($"CREATE DATABASE {DatabaseCreation.Quote(missing.Name)} OWNER {missing.Role}", Token);

        await starting;
        Assert.Equal("status_events", await missing.ScalarAsync("SELECT to_regclass('status_events')::text"));
    }

    [Fact]
    public async Task A_role_that_may_not_create_tables_is_named_together_with_the_servers_error()
    {
        await using var admin = await servers.CreateDatabaseAsync(age, Token);
        var role = await CreateRoleAsync(admin, "");
        await admin.ExecuteAsync("DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC", Token);
        await using var database = new StatusDatabase(
            new NpgsqlConnectionStringBuilder(admin.ConnectionString) { Username = role, Password = Password }.ConnectionString);

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Migrator(database).StartingAsync(Token));

        Assert.Contains($"by the role \"{role}\"", error.Message, StringComparison.Ordinal);
        Assert.Contains("42501", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_login_is_an_error_that_names_the_database_and_not_the_password()
    {
        await using var admin = await servers.CreateDatabaseAsync(age, Token);
        await using var database = new StatusDatabase(
            new NpgsqlConnectionStringBuilder(admin.ConnectionString) { Username = $"nobody{Guid.NewGuid():N}", Password = Password }.ConnectionString);

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Migrator(database).StartingAsync(Token));

        Assert.Contains(new NpgsqlConnectionStringBuilder(admin.ConnectionString).Database!, error.Message, StringComparison.Ordinal);
        Assert.Contains("28", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Password, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unreachable_server_is_waited_for_and_then_named_together_with_the_setting()
    {
        var port = LoopbackPort.FindFree();
        await using var database = new StatusDatabase($"Host=127.0.0.1;Port={port};Database=statusdb;Username=u");
        var options = new StatusDatabaseOptions { StartupTimeout = TimeSpan.FromMilliseconds(300) };
        var migrator = new DatabaseMigrator(database, options, TimeProvider.System, NullLogger<DatabaseMigrator>.Instance);

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => migrator.StartingAsync(Token));

        Assert.Equal(
            $"The database \"statusdb\" at 127.0.0.1:{port} was not ready within StatusDatabase:StartupTimeout (00:00:00.3000000).", error.Message);
        Assert.IsType<NpgsqlException>(error.InnerException);
    }

    private static DatabaseMigrator Migrator(StatusDatabase database, TimeSpan? startupTimeout = null)
    {
        var options = new StatusDatabaseOptions();
        options.StartupTimeout = startupTimeout ?? options.StartupTimeout;
        return new(database, options, TimeProvider.System, NullLogger<DatabaseMigrator>.Instance);
    }

    private static async Task<string> CreateRoleAsync(TestDatabase admin, string rights)
    {
        var role = $"r{Guid.NewGuid():N}";
        await admin.ExecuteAsync($"CREATE ROLE {role} LOGIN PASSWORD '{Password}' {rights}", Token);
        return role;
    }

    /// <summary>A database that does not exist yet, on the server of another; dropped at the end if it was created.</summary>
    private sealed class MissingDatabase : IAsyncDisposable
    {
        private readonly TestDatabase _admin;

        public MissingDatabase(TestDatabase admin, string name, string? role = null)
        {
            _admin = admin;
            Role = role;

            // Stays within the 63 bytes that the server keeps of a name.
            Name = $"{name} {Guid.NewGuid():N}";
            var builder = new NpgsqlConnectionStringBuilder(admin.ConnectionString) { Database = Name };
            if (role is not null)
            {
                (builder.Username, builder.Password) = (role, Password);
            }

            ConnectionString = builder.ConnectionString;
            Database = new StatusDatabase(ConnectionString);
        }

        public string Name { get; }

        public string? Role { get; }

        public string ConnectionString { get; }

        public StatusDatabase Database { get; }

        public async Task<string?> ScalarAsync(string sql)
        {
            await using var command = Database.DataSource.CreateCommand(sql);
            return (string?)await command.ExecuteScalarAsync(Token);
        }

        public async ValueTask DisposeAsync()
        {
            await Database.DisposeAsync();
            await _admin.ExecuteAsync($"DROP DATABASE IF EXISTS {DatabaseCreation.Quote(Name)} WITH (FORCE)", CancellationToken.None);
        }
    }
}

public sealed class DatabaseCreationOnOldestPostgresTests(TestServers servers) : DatabaseCreationTests(servers, PostgresAge.Oldest);

[Long]
public sealed class DatabaseCreationOnNewestPostgresTests(TestServers servers) : DatabaseCreationTests(servers, PostgresAge.Newest);
