using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Data.Webhooks;

/// <summary>
/// Has the keys that secrets are encrypted with loaded, one process after the other, before anything else starts and after the database has its
/// tables. Of services that start together on an empty database each would make a key of its own, and for up to a day not know the others'.
/// </summary>
internal sealed partial class FirstKey(StatusDatabase database, IDataProtectionProvider provider, ILogger<FirstKey> logger) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await database.OpenSessionAsync(cancellationToken);
            await ExecuteAsync(connection, $"SELECT pg_advisory_lock({SessionLock.FirstKey})", cancellationToken);
            try
            {
                // Whatever is encrypted first loads the keys, and makes one where there is none.
                provider.CreateProtector(nameof(FirstKey)).Protect([]);
            }
            finally
            {
                // Without the token: others wait for it.
                if (connection.State == System.Data.ConnectionState.Open)
                {
                    await ExecuteAsync(connection, $"SELECT pg_advisory_unlock({SessionLock.FirstKey})", CancellationToken.None);
                }
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever it is: the keys are looked for again when they are needed, and everything else works without.
            LogNoKeys(e);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    [LoggerMessage(2401, LogLevel.Warning, "The keys that webhooks' secrets are encrypted with cannot be loaded yet")]
    private partial void LogNoKeys(Exception exception);
}
