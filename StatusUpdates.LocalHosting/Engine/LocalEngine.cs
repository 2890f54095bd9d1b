using System.Globalization;
using System.Net;
using StatusUpdates.LocalHosting.Hosting;
using StatusUpdates.LocalHosting.Native;

namespace StatusUpdates.LocalHosting.Engine;

/// <summary>
/// Runs an app model as native processes. Lifecycle: <see cref="StartAsync"/> once, then <see cref="StopAsync"/> any number of times.
/// Invariant: whatever was started is stopped before <see cref="StopAsync"/> returns, in reverse order of the model.
/// </summary>
internal sealed class LocalEngine(EngineSettings settings, IReadOnlyCollection<IResource> resources) : IAsyncDisposable
{
    /// <summary>In all, for an orderly stop; then what is left is killed.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(25);

    private readonly List<SupervisedInstance> _instances = [];
    private readonly HttpClient _probes = new() { Timeout = TimeSpan.FromSeconds(2) };
    private readonly SemaphoreSlim _turn = new(1);
    private readonly TimeProvider _time = TimeProvider.System;
    private LocalState? _state;
    private ConsoleView? _view;
    private ResourcesFileWriter? _resourcesFile;

    public StateBoard Board { get; } = new();

    public IReadOnlyCollection<IResource> Resources => resources;

    public SupervisedInstance? Find(string instanceId) =>
        _instances.Find(instance => instance.Id == instanceId) ?? (InstancesOf(instanceId) is [var only] ? only : null);

    public IReadOnlyList<SupervisedInstance> InstancesOf(IResource resource) => InstancesOf(resource.Name);

    /// <exception cref="DistributedApplicationException">A port is taken, or another run holds the state folder.</exception>
    /// <exception cref="PostgresNotFoundException">The machine has no PostgreSQL.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        NativePlatform.ThrowIfUnsupported();
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_state is not null)
            {
                throw new InvalidOperationException("The application was started already.");
            }

            _state = await LocalState.OpenAsync(settings, cancellationToken);
            _view = settings.IsTemporary ? null : new ConsoleView(Console.Out, resources, _time, !Console.IsOutputRedirected);
            _view?.Begin(settings.StateDirectory);
            await StopLeftoversAsync(_state, cancellationToken);
            PortPlan.Allocate(resources, settings);
            if (resources.OfType<PostgresServerResource>().Any())
            {
                var binaries = await PostgresBinaries.FindAsync(cancellationToken);
                _view?.Say($"PostgreSQL {binaries.Version} from {binaries.BinDirectory}");
            }

            foreach (var resource in resources)
            {
                await AddAsync(resource, _state, cancellationToken);
            }

            _resourcesFile = new ResourcesFileWriter(_state, Board);
            _view?.Watch(Board);
            foreach (var instance in _instances)
            {
                await instance.StartAsync(cancellationToken);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Stops everything. The token shortens the orderly part; nothing is left running in any case.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(CancellationToken.None);
        try
        {
            if (_state is null)
            {
                return;
            }

            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(StopLimit);
            using var kill = limit.Token.Register(KillAll);
            _view?.Say("Stopping …");
            foreach (var resource in resources.Reverse())
            {
                await Task.WhenAll(InstancesOf(resource).Select(instance => instance.StopAsync(CancellationToken.None)));
            }

            await (_resourcesFile?.DisposeAsync() ?? ValueTask.CompletedTask);
            _view?.Say("Stopped.");
            _state.Dispose();
            _state = null;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Ends all processes at once. A stop that is under way then completes soon.</summary>
    public void KillAll()
    {
        foreach (var instance in _instances)
        {
            instance.Kill();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        foreach (var instance in _instances)
        {
            await instance.DisposeAsync();
        }

        _instances.Clear();
        _probes.Dispose();
    }

    private static string ProjectStateFile(LocalState state, string instanceId) => Path.Combine(state.DirectoryOf("projects"), $"{instanceId}.json");

    private static IEnumerable<string> InstanceIds(ProjectResource project) => project.Replicas == 1
        ? [project.Name]
        : Enumerable.Range(1, project.Replicas).Select(number => string.Create(CultureInfo.InvariantCulture, $"{project.Name}-{number}"));

    private List<SupervisedInstance> InstancesOf(string resourceName) => _instances.FindAll(instance => instance.Resource.Name == resourceName);

    // Before ports are looked at: what an earlier run left may hold them.
    private async Task StopLeftoversAsync(LocalState state, CancellationToken cancellationToken)
    {
        if (settings.IsTemporary)
        {
            return;
        }

        await Task.WhenAll(resources.SelectMany(resource => resource switch
        {
            PostgresServerResource => [PostgresServer.StopLeftoverAsync(state.DirectoryOf(resource.Name), cancellationToken)],
            RedisResource => [RedisServer.StopLeftoverAsync(state.DirectoryOf(resource.Name), cancellationToken)],
            ProjectResource project => InstanceIds(project).Select(id => Launchers.StopLeftoverProjectAsync(ProjectStateFile(state, id), cancellationToken)),
            _ => Enumerable.Empty<Task>(),
        }));
    }

    private async Task AddAsync(IResource resource, LocalState state, CancellationToken cancellationToken)
    {
        Action<string> LogOf(string id) => _view is { } view ? line => view.Log(id, line) : _ => { };
        void Add(string id, Resource owner, IReadOnlyList<IResource> waitsFor, Func<CancellationToken, Task<RunningProcess>> launch, Func<string> address, Func<CancellationToken, Task<bool>>? probe = null)
        {
            Board.Add(id, owner);
            _instances.Add(new SupervisedInstance(id, owner, Board, _time, (from, line) => _view?.Log(from, line))
            {
                WaitsFor = waitsFor,
                Launch = launch,
                Address = address,
                Probe = probe,
            });
        }

        switch (resource)
        {
            case ParameterResource parameter:
                parameter.Value = Environment.GetEnvironmentVariable($"Parameters__{parameter.Name}")
                    ?? (parameter.Persist
                        ? await state.KeepAsync(parameter.Name, parameter.Default.GetDefaultValue, cancellationToken)
                        : parameter.Default.GetDefaultValue());
                break;

            case PostgresServerResource postgres:
                var postgresOptions = new PostgresServerOptions
                {
                    Directory = state.DirectoryOf(postgres.HasDataVolume ? postgres.Name : $"{postgres.Name}-{Path.GetRandomFileName()}"),
                    Port = settings.PortOf(postgres, postgres.Port),
                    TemporaryDirectory = settings.IsTemporary ? settings.StateDirectory : null,
                    Output = LogOf(postgres.Name),
                };
                Add(postgres.Name, postgres, [], Launchers.Postgres(postgres, postgresOptions), () => $"127.0.0.1:{postgres.Address.Value.Port}");
                break;

            case PostgresDatabaseResource database:
                Add(database.Name, database, [database.Parent], Launchers.Database(database), () => $"127.0.0.1:{database.Parent.Address.Value.Port}/{database.DatabaseName}");
                break;

            case RedisResource redis:
                var redisOptions = new RedisServerOptions
                {
                    Directory = state.DirectoryOf(redis.Name),
                    Port = settings.PortOf(redis, redis.Port),
                    Password = await state.KeepAsync($"{redis.Name}-password", () => PostgresServer.PasswordOfLength(24), cancellationToken),
                    Output = LogOf(redis.Name),
                };
                Add(redis.Name, redis, [], Launchers.Redis(redis, redisOptions), () => $"127.0.0.1:{redis.Address.Value.Port}");
                break;

            case ProjectResource project:
                Directory.CreateDirectory(state.DirectoryOf("projects"));
                foreach (var id in InstanceIds(project))
                {
                    Add(
                        id,
                        project,
                        project.WaitsFor,
                        Launchers.Project(project, ProjectStateFile(state, id), LogOf(id)),
                        () => project.Endpoints.Count > 0 ? project.Endpoints[0].Url : "",
                        project.HealthPath is { } path ? token => IsHealthyAsync($"{project.Endpoints[0].Url}{path}", token) : null);
                }

                break;

            default:
                throw new DistributedApplicationException($"The local engine cannot run '{resource.Name}', a {resource.GetType().Name}.");
        }
    }

    private async Task<bool> IsHealthyAsync(string url, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await _probes.GetAsync(new Uri(url), cancellationToken);
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (Exception notWell) when (notWell is HttpRequestException || (notWell is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return false; // Not listening yet, or too slow.
        }
    }
}
