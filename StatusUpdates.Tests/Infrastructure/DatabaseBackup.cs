namespace StatusUpdates.Tests.Infrastructure;

/// <summary>A backup of a database that is in use. Dispose it before the database.</summary>
public sealed class DatabaseBackup(TestCluster cluster, string name) : IAsyncDisposable
{
    private readonly string _copy = name + "_backup";

    /// <summary>Appends to a user's log in the backup, as happens when writers are back before any reader checks the log.</summary>
    public async Task SubmitAsync(string userId, int count, CancellationToken cancellationToken)
    {
        var copy = new TestDatabase(cluster, _copy);
        for (var i = 0; i < count; i++)
        {
            await copy.SubmitAsync(userId, cancellationToken: cancellationToken);
        }

        await copy.Database.DisposeAsync();
    }

    /// <summary>Replaces the database with the backup, which cuts all its connections.</summary>
    public Task RestoreAsync(CancellationToken cancellationToken) => ReplaceAsync(name, _copy, cancellationToken);

    public async ValueTask DisposeAsync() => await cluster.DropAsync(_copy);

    internal Task TakeAsync(CancellationToken cancellationToken) => CopyAsync(name, _copy, cancellationToken);

    private async Task ReplaceAsync(string target, string source, CancellationToken cancellationToken)
    {
        await cluster.ExecuteAsync($"DROP DATABASE {target} WITH (FORCE)", cancellationToken);
        await CopyAsync(source, target, cancellationToken);
    }

    // A template must have no other connections, and programs reconnect at once unless connections are refused.
    private async Task CopyAsync(string source, string target, CancellationToken cancellationToken)
    {
        await cluster.ExecuteAsync($"ALTER DATABASE {source} ALLOW_CONNECTIONS false", cancellationToken);
        await cluster.ExecuteAsync($"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{source}'", cancellationToken);
        await cluster.ExecuteAsync($"CREATE DATABASE {target} TEMPLATE {source}", cancellationToken);
        await cluster.ExecuteAsync($"ALTER DATABASE {source} ALLOW_CONNECTIONS true", cancellationToken);
        await cluster.ExecuteAsync($"ALTER DATABASE {target} ALLOW_CONNECTIONS true", cancellationToken);
    }
}
