using System.Collections;
using System.Globalization;
using StatusUpdates.LocalHosting.Hosting;
using StatusUpdates.LocalHosting.Native;

namespace StatusUpdates.LocalHosting.Engine;

/// <summary>Where the local engine keeps its state and which ports it takes.</summary>
internal sealed record EngineSettings
{
    /// <summary>Environment variable: another folder than <c>.local/</c>.</summary>
    public const string StateDirectoryVariable = "LocalHosting__StateDirectory";

    /// <summary>Begins an environment variable that ends with a resource's name: its port; 0 for a free one.</summary>
    public const string PortVariablePrefix = "LocalHosting__Ports__";

    private const int DefaultPostgresPort = 54320;
    private const int DefaultRedisPort = 63790;

    public required string StateDirectory { get; init; }

    /// <summary>A test's application: its state is deleted at the end, all its ports are free ones, and it is silent.</summary>
    public bool IsTemporary { get; init; }

    public IReadOnlyDictionary<string, int> Ports { get; init; } = new Dictionary<string, int>();

    /// <exception cref="DistributedApplicationException">A port is not 0..65535; the message names the variable.</exception>
    public static EngineSettings FromEnvironment() => new()
    {
        StateDirectory = Environment.GetEnvironmentVariable(StateDirectoryVariable) is { Length: > 0 } folder
            ? Path.GetFullPath(folder)
            : RepositoryRoot.StateDirectory(),
        Ports = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Select(variable => (Name: (string)variable.Key, Value: (string?)variable.Value))
            .Where(variable => variable.Name.StartsWith(PortVariablePrefix, StringComparison.Ordinal))
            .ToDictionary(
                variable => variable.Name[PortVariablePrefix.Length..],
                variable => ushort.TryParse(variable.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var port)
                    ? (int)port
                    : throw new DistributedApplicationException($"{variable.Name} is '{variable.Value}'; it must be a port, 1 to 65535, or 0 for a free one.")),
    };

    public static EngineSettings ForTest() => new()
    {
        StateDirectory = Path.Combine(Path.GetTempPath(), $"status-updates-{Path.GetRandomFileName()}"),
        IsTemporary = true,
    };

    /// <returns>0 for a free port.</returns>
    public int PortOf(IResource resource, int? asked) =>
        Ports.TryGetValue(resource.Name, out var configured) ? configured
        : IsTemporary ? 0
        : asked ?? resource switch
        {
            PostgresServerResource => DefaultPostgresPort,
            RedisResource => DefaultRedisPort,
            _ => 0,
        };
}
