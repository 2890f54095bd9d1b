using System.Threading.Channels;
using StatusUpdates.LocalHosting.Hosting;

namespace StatusUpdates.LocalHosting.Engine;

/// <summary>Keeps resources.json up to date: one write at a time, and none is missed.</summary>
internal sealed class ResourcesFileWriter : IAsyncDisposable
{
    private readonly LocalState _state;
    private readonly StateBoard _board;
    private readonly Task _loop;

    // One pending wish to write is enough: the write reads what is then.
    private readonly Channel<bool> _wishes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public ResourcesFileWriter(LocalState state, StateBoard board)
    {
        _state = state;
        _board = board;
        _board.Changed += OnChanged;
        _loop = WriteAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _board.Changed -= OnChanged;
        _wishes.Writer.TryComplete();
        await _loop;
    }

    private static ResourceEntry Describe(InstanceState instance)
    {
        var connection = instance.Resource as IConnectionProperties;
        var properties = connection?.ConnectionProperties.ToDictionary(property => property.Name, property => property.Value);
        return new ResourceEntry(
            instance.Resource switch
            {
                PostgresServerResource => "postgres",
                PostgresDatabaseResource => "database",
                RedisResource => "redis",
                _ => "project",
            },
            UrlOf(properties) ?? (instance.Address.Length > 0 ? instance.Address : null),
            ConnectionStringOf(instance.Resource),
            instance.ProcessId != 0 ? instance.ProcessId : null);
    }

    // redis-cli takes an empty user name for a name; everything else takes "default" for what it is.
    private static string? UrlOf(Dictionary<string, string>? properties) =>
        properties?["URI"].Replace("redis://:", "redis://default:", StringComparison.Ordinal);

    private static string? ConnectionStringOf(IResource resource) => resource switch
    {
        PostgresServerResource postgres => postgres.Address.Value.ConnectionString,
        PostgresDatabaseResource database => database.ConnectionString,
        RedisResource redis => redis.Address.Value.ConnectionString,
        _ => null,
    };

    private void OnChanged(InstanceState instance) => _wishes.Writer.TryWrite(true);

    private async Task WriteAsync()
    {
        await foreach (var _ in _wishes.Reader.ReadAllAsync())
        {
            await _state.WriteResourcesAsync(
                () => _board.All.Where(instance => instance.State == KnownResourceStates.Running).ToDictionary(instance => instance.Id, Describe),
                CancellationToken.None);
        }
    }
}
