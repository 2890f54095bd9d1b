using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Webhooks.Keys;

/// <summary>
/// Loads the Data Protection keys, in one process after the other, before anything else starts and after the migration. Otherwise, services that
/// start together on an empty database would each create a key of their own, and for up to a day not know the others'.
/// </summary>
internal sealed partial class DataProtectionKeyLoader(
    StatusDatabase database, IDataProtectionProvider provider, ILogger<DataProtectionKeyLoader> logger) : IHostedLifecycleService
{
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var held = await SessionLock.TakeAsync(database, SessionLock.DataProtectionKeys, cancellationToken);

            // The first encryption loads the keys, and creates one if there is none.
            provider.CreateProtector(nameof(DataProtectionKeyLoader)).Protect([]);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Any error: the keys are loaded again when they are needed, and everything else works without them.
            LogNoKeys(e);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(2401, LogLevel.Warning, "The Data Protection keys, which encrypt webhooks' secrets, cannot be loaded yet")]
    private partial void LogNoKeys(Exception exception);
}
