using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Npgsql;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.NativeServers.Hosting;

internal sealed class NativePostgres(PostgresServerResource resource, NativeServerSettings settings) : INativeServer
{
    private PostgresServerOptions _options = new() { Directory = settings.DirectoryOf(resource.Name) };

    public string Name => "PostgreSQL";

    public async Task FindProgramsAsync(CancellationToken cancellationToken)
    {
        var name = resource.UserNameParameter is { } userName ? await userName.GetValueAsync(cancellationToken) : null;
        _options = _options with { UserName = name ?? _options.UserName };
        try
        {
            _options = _options with { Binaries = (await PostgresDirectory.OpenAsync(_options, cancellationToken)).Binaries };
        }
        catch (Exception e) when (e is PostgresNotFoundException or ChildProcessException or InvalidOperationException)
        {
            throw new DistributedApplicationException(e.Message, e);
        }
    }

    public async Task<GuardSpec> PrepareAsync(int port, CancellationToken cancellationToken)
    {
        var directory = await PostgresDirectory.OpenAsync(_options, cancellationToken);
        await directory.StopLeftoverAsync(cancellationToken);
        var password = await resource.PasswordParameter.GetValueAsync(cancellationToken)
            ?? throw new DistributedApplicationException($"The parameter {resource.PasswordParameter.Name} has no value.");
        if (await directory.InitializeAsync(password, cancellationToken) != password)
        {
            await ChangePasswordAsync(password, cancellationToken);
            await directory.SavePasswordAsync(password, cancellationToken);
        }

        return directory.ServerSpec(port);
    }

    // The data was created with another password: the user secrets were deleted, or the password was changed. A container would then refuse
    // every connection.
    private async Task ChangePasswordAsync(string password, CancellationToken cancellationToken)
    {
        await using var server = await PostgresServer.StartAsync(_options, cancellationToken);
        await using var source = NpgsqlDataSource.Create(server.ConnectionString);

        // A utility statement takes no parameters.
        await using var command = source.CreateCommand($"ALTER ROLE {Quote(_options.UserName, '"')} PASSWORD {Quote(password, '\'')}");
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static string Quote(string text, char mark) => $"{mark}{text.Replace($"{mark}", $"{mark}{mark}", StringComparison.Ordinal)}{mark}";
}
