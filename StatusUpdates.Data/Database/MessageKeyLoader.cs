using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Database;

/// <summary>
/// Gives the services of one system the key by which they know each other's messages on Redis: whoever shares the database has it. Read before
/// anything else starts, but after the tables are there; again soon after a message that should be genuine was not, and now and then, so that a key
/// which somebody replaced (by deleting its row) is soon everybody's.
/// </summary>
internal sealed partial class MessageKeyLoader(StatusDatabase database, MessageSeal seal, TimeProvider time, ILogger<MessageKeyLoader> logger)
    : BackgroundService, IHostedLifecycleService
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    private readonly Channel<bool> _doubts = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await TryLoadAsync(cancellationToken);
        seal.Doubted = () => _doubts.Writer.TryWrite(true);
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
                await Task.Delay(Pause, time, stoppingToken);
                using var interval = new CancellationTokenSource(Interval, time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, interval.Token);
                await ((Task)_doubts.Reader.ReadAsync(either.Token).AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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
            // Whatever it is: without the key the log is read for every message, and it is tried again.
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

    [LoggerMessage(2005, LogLevel.Warning, "The key of messages on Redis cannot be read yet; until then every message is a reason to read the log: {Reason}")]
    private partial void LogNoKey(string reason);
}
