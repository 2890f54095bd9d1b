namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>Where a project is; generated for each project reference of the AppHost.</summary>
public interface IProjectMetadata
{
    /// <summary>The full path of the project file.</summary>
    string ProjectPath { get; }

    /// <summary>The full path of the assembly that building it made. (The local engine starts this; Aspire builds and runs the project.)</summary>
    string AssemblyPath { get; }
}

/// <summary>A .NET project, run in one or more processes.</summary>
public sealed class ProjectResource : Resource
{
    private readonly List<ProjectEndpoint> _endpoints = [];

    internal ProjectResource(string name, IProjectMetadata metadata, Engine.LaunchProfile? launchProfile)
        : base(name)
    {
        Metadata = metadata;
        LaunchProfile = launchProfile;
        foreach (var url in launchProfile?.Urls ?? [])
        {
            _endpoints.Add(new ProjectEndpoint(name, url.Scheme, url.Port));
        }
    }

    internal IProjectMetadata Metadata { get; }

    internal Engine.LaunchProfile? LaunchProfile { get; }

    internal int Replicas { get; set; } = 1;

    internal bool IsExternal { get; set; }

    /// <summary>Path of the health check, relative to the first endpoint; null for none.</summary>
    internal string? HealthPath { get; set; }

    internal List<IResource> WaitsFor { get; } = [];

    /// <summary>Adds to a process's variables. Each may wait for what it needs to know.</summary>
    internal List<Func<IDictionary<string, string?>, CancellationToken, Task>> Environment { get; } = [];

    internal IReadOnlyList<ProjectEndpoint> Endpoints => _endpoints;

    internal ProjectEndpoint? FindEndpoint(string name) => _endpoints.Find(endpoint => endpoint.Name == name);
}

/// <summary>An endpoint of a project: its name is its scheme.</summary>
internal sealed class ProjectEndpoint(string resourceName, string name, int wantedPort)
{
    private int _port;

    public string Name { get; } = name;

    /// <summary>The port of the launch profile.</summary>
    public int WantedPort { get; } = wantedPort;

    /// <summary>Set by the engine before anything starts.</summary>
    public int Port
    {
        get => _port != 0 ? _port : throw new InvalidOperationException($"Endpoint '{Name}' of '{resourceName}' has no address before the application starts.");
        set => _port = value;
    }

    public string Url => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Name}://localhost:{Port}");
}
