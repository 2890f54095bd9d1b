using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.Tests.Data;

/// <summary>A pooler in front of PostgreSQL either works, or the start reports which of its settings is wrong.</summary>
public sealed class PoolerTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData("transaction", false, false, "ignore_startup_parameters")]
    [InlineData("session", false, false, "ignore_startup_parameters")]
    [InlineData("session", true, false, "SET lock_timeout = 5000;")]
    [InlineData("transaction", true, true, "pool_mode = session")]
    [InlineData("session", true, true, null)]
    public async Task The_start_refuses_a_pooler_that_breaks_required_session_features(string mode, bool ignoresOptions, bool hasTimeouts, string? advice)
    {
        Assert.SkipUnless(PgBouncer.IsInstalled, "PgBouncer is not installed.");
        await using var db = await servers.CreateDatabaseAsync(Token);
        if (hasTimeouts)
        {
            foreach (var setting in (string[])["lock_timeout = 5000", "statement_timeout = 15000", "idle_in_transaction_session_timeout = 5000"])
            {
                await db.ExecuteAsync($"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting}', current_database()); END $$", Token);
            }
        }

        // The settings apply to new sessions only, and those of the pooler are new.
        await using var pooler = await PgBouncer.StartAsync(db.ConnectionString, mode, ignoresOptions);
        await using var database = new StatusDatabase(pooler.ConnectionString);
        var migrator = new DatabaseMigrator(database, new StatusDatabaseOptions(), TimeProvider.System, NullLogger<DatabaseMigrator>.Instance);

        if (advice is null)
        {
            await migrator.StartingAsync(Token);
            await using var command = database.DataSource.CreateCommand("SHOW lock_timeout");
            Assert.Equal("5s", await command.ExecuteScalarAsync(Token));
            return;
        }

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => migrator.StartingAsync(Token));
        Assert.Contains(advice, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public async Task Timeouts_set_in_the_connection_string_are_accepted_as_they_are()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var settings = new NpgsqlConnectionStringBuilder(db.ConnectionString) { Options = "-c lock_timeout=1234" };
        await using var database = new StatusDatabase(settings.ConnectionString);
        var migrator = new DatabaseMigrator(database, new StatusDatabaseOptions(), TimeProvider.System, NullLogger<DatabaseMigrator>.Instance);

        await migrator.StartingAsync(Token);

        await using var command = database.DataSource.CreateCommand("SHOW lock_timeout");
        Assert.Equal("1234ms", await command.ExecuteScalarAsync(Token));
    }
}
