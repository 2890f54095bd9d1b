using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Tests.Data;

public sealed class StatusDatabaseTests
{
    [Fact]
    public async Task Connections_get_our_settings_unless_the_connection_string_sets_them()
    {
        await using var database = new StatusDatabase("Host=localhost", new StatusDatabaseOptions { StatementTimeout = TimeSpan.FromSeconds(7.5) });
        var settings = new NpgsqlConnectionStringBuilder(database.DataSource.ConnectionString);

        Assert.Equal((64, 2), (settings.MaxAutoPrepare, settings.AutoPrepareMinUsages));
        Assert.Equal((5, 9), (settings.Timeout, settings.CommandTimeout));
        Assert.Equal(64 * 1024, settings.WriteBufferSize);
        Assert.True(settings.TcpKeepAlive);
        Assert.Contains("-c statement_timeout=7500", settings.Options, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_in_the_connection_string_win()
    {
        await using var database = new StatusDatabase(
            "Host=localhost;MaxAutoPrepare=0;Timeout=3;CommandTimeout=4;WriteBufferSize=16384;TcpKeepAlive=false;Options=-c statement_timeout=1");
        var settings = new NpgsqlConnectionStringBuilder(database.DataSource.ConnectionString);

        Assert.Equal((0, 3, 4, 16384, false), (settings.MaxAutoPrepare, settings.Timeout, settings.CommandTimeout, settings.WriteBufferSize, settings.TcpKeepAlive));
        Assert.EndsWith("-c statement_timeout=1", settings.Options, StringComparison.Ordinal);
    }
}
