using System.Globalization;
using Npgsql;
using StatusUpdates.LocalHosting.Hosting;
using StatusUpdates.LocalHosting.Native;

namespace StatusUpdates.LocalHosting.Engine;

/// <summary>How each kind of resource is started, and started again.</summary>
internal static class Launchers
{
    /// <summary>An API closes its sockets spread over its drain time before it goes.</summary>
    private static readonly TimeSpan ProjectPatience = TimeSpan.FromSeconds(15);

    /// <summary>When we are dead there is less time: no process is left 10 s later.</summary>
    private static readonly StopStep[] ProjectStopSteps = [new(Posix.SigTerm, TimeSpan.FromSeconds(6))];

    public static Func<CancellationToken, Task<RunningProcess>> Postgres(PostgresServerResource resource, PostgresServerOptions options)
    {
        PostgresServer? server = null;
        return async cancellationToken =>
        {
            if (server is null)
            {
                server = await PostgresServer.StartAsync(options, cancellationToken);
            }
            else
            {
                await server.RestartAsync(StopMode.Fast, cancellationToken);
            }

            resource.Address.Set(new NpgsqlConnectionStringBuilder
            {
                Host = "127.0.0.1",
                Port = server.Port,
                Username = "postgres",
                Password = server.Password,
            });
            return new RunningProcess(
                server.ProcessId, DescribeAsync(server.Exited, "PostgreSQL"), () => server.StopAsync(), server.Kill);
        };
    }

    /// <summary>A database has no process of its own: "starting" it is creating it, and it runs until it is stopped.</summary>
    public static Func<CancellationToken, Task<RunningProcess>> Database(PostgresDatabaseResource resource) =>
        async cancellationToken =>
        {
            var server = await resource.Parent.Address.WhenKnownAsync(cancellationToken);
            await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = "postgres", Pooling = false });
            await CreateAsync(source, resource.DatabaseName, cancellationToken);
            var stopped = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            return new RunningProcess(0, stopped.Task, () => Task.FromResult(stopped.TrySetResult("stopped")), () => { });
        };

    public static Func<CancellationToken, Task<RunningProcess>> Redis(RedisResource resource, RedisServerOptions options)
    {
        RedisServer? server = null;
        return async cancellationToken =>
        {
            if (server is null)
            {
                server = await RedisServer.StartAsync(options, cancellationToken);
            }
            else
            {
                await server.RestartAsync(cancellationToken);
            }

            resource.Address.Set(new RedisAddress(server.ConnectionString, server.Port, options.Password ?? ""));
            return new RunningProcess(server.ProcessId, DescribeAsync(server.Exited, "Redis"), () => server.StopAsync(), server.Kill);
        };
    }

    public static Func<CancellationToken, Task<RunningProcess>> Project(ProjectResource project, string stateFile, Action<string> output) =>
        async cancellationToken =>
        {
            if (!File.Exists(project.Metadata.AssemblyPath))
            {
                throw new DistributedApplicationException($"{project.Metadata.AssemblyPath} does not exist: build StatusUpdates.AppHost first.");
            }

            await LeftoverServer.StopAsync(stateFile, ProjectStopSteps, cancellationToken);
            var process = await GuardedProcess.StartAsync(
                new GuardSpec
                {
                    FileName = DotnetHost.Path,
                    Arguments = ["exec", project.Metadata.AssemblyPath],
                    WorkingDirectory = Path.GetDirectoryName(project.Metadata.ProjectPath),
                    Environment = await ProjectEnvironment.BuildAsync(project, cancellationToken),
                    StateFile = stateFile,
                    StopSteps = ProjectStopSteps,
                },
                output,
                cancellationToken);
            return new RunningProcess(
                process.Child.Pid,
                DescribeAsync(process.Exited, project.Name),
                () => process.StopAsync(Posix.SigTerm, ProjectPatience, CancellationToken.None),
                process.Kill);
        };

    public static Task StopLeftoverProjectAsync(string stateFile, CancellationToken cancellationToken) =>
        LeftoverServer.StopAsync(stateFile, ProjectStopSteps, cancellationToken);

    private static async Task CreateAsync(NpgsqlDataSource source, string database, CancellationToken cancellationToken)
    {
        await using var find = source.CreateCommand("SELECT 1 FROM pg_database WHERE datname = $1");
        find.Parameters.Add(new NpgsqlParameter<string> { TypedValue = database });
        if (await find.ExecuteScalarAsync(cancellationToken) is not null)
        {
            return;
        }

        // A name cannot be a parameter here, so it is quoted as an identifier.
        await using var create = source.CreateCommand($"CREATE DATABASE \"{database.Replace("\"", "\"\"", StringComparison.Ordinal)}\"");
        await create.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task<string> DescribeAsync(Task<int> exited, string name)
    {
        var exitCode = await exited;
        return string.Create(CultureInfo.InvariantCulture, $"{name} ended with exit code {exitCode}.");
    }
}
