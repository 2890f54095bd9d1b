using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Database;

/// <summary>
/// Loads the key by which the services of one system authenticate each other's messages on Redis; services that share the database share it.
/// Loaded before anything else starts, but after the migration; again soon after a message could not be authenticated, and now and then. So a
/// key that was replaced (by deleting its row) soon reaches all services.
/// </summary>
internal sealed partial class MessageKeyLoader(StatusDatabase database, MessageSeal seal, TimeProvider time, ILogger<MessageKeyLoader> logger)
    : BackgroundService, IHostedLifecycleService
{
    private static readonly TimeSpan MinInterval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan MaxInterval = TimeSpan.FromMinutes(10);

    private readonly Channel<bool> _reloads = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await TryLoadAsync(cancellationToken);
        seal.Doubted = () => _reloads.Writer.TryWrite(true);
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    internal async Task LoadAsync(CancellationToken cancellationToken)
    {
        byte[]? key = null;
        while (key is null)
        {
            key = await ReadAsync(cancellationToken) ?? await CreateAsync(cancellationToken);
        }

        seal.UseKey(key);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await Task.Delay(MinInterval, time, stoppingToken);
                using var interval = new CancellationTokenSource(MaxInterval, time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, interval.Token);
                await ((Task)_reloads.Reader.ReadAsync(either.Token).AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                stoppingToken.ThrowIfCancellationRequested();
                await TryLoadAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    private async Task TryLoadAsync(CancellationToken cancellationToken)
    {
        try
        {
            await LoadAsync(cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            // Any error: without the key the log is read for every message, and loading is retried.
            LogNoKey(e.Message);
        }
    }

    private async Task<byte[]?> ReadAsync(CancellationToken cancellationToken)
    {
        await using var command = database.DataSource.CreateCommand("SELECT key FROM message_key");
        return (byte[]?)await command.ExecuteScalarAsync(cancellationToken);
    }

    /// <returns>Null if another service was first.</returns>
    private Task<byte[]?> CreateAsync(CancellationToken cancellationToken) => database.WriteAsync(
        new NpgsqlCommand(
            """
            INSERT INTO message_key (key) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
            ON CONFLICT DO NOTHING RETURNING key
            """),
        static async reader => await reader.ReadAsync() ? reader.GetFieldValue<byte[]>(0) : null,
        cancellationToken);

    [LoggerMessage(2005, LogLevel.Warning, "The key for messages on Redis cannot be loaded yet; until then every message causes a read of the log: {Reason}")]
    private partial void LogNoKey(string reason);
}
