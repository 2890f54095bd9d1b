using System.Globalization;
using Aspire.Hosting;
using Microsoft.Extensions.Configuration;

namespace StatusUpdates.NativeServers.Hosting;

/// <summary>When native processes replace containers.</summary>
public enum NativeServerMode
{
    /// <summary>If neither Docker nor Podman responds.</summary>
    Auto,

    /// <summary>Always.</summary>
    Always,

    /// <summary>Never: a container runtime is required.</summary>
    Never,
}

/// <summary>The section <c>NativeServers</c> of the app host's configuration.</summary>
internal sealed record NativeServerSettings
{
    public const string Section = "NativeServers";
    private const string SpecSuffix = ".guard.json";

    public required NativeServerMode Mode { get; init; }

    /// <summary>Absolute. Configured as <c>NativeServers:StateDirectory</c>, relative to the app host's project; <c>.local</c> by default.</summary>
    public required string StateDirectory { get; init; }

    private Dictionary<string, int> Ports { get; init; } = [];

    /// <summary>Whether configured ports are replaced by free ones, as Aspire's testing support requests.</summary>
    public bool RandomizePorts { get; init; }

    /// <exception cref="DistributedApplicationException">A value is out of range; the message names the key and the allowed values.</exception>
    public static NativeServerSettings From(IConfiguration configuration, string appHostDirectory)
    {
        var section = configuration.GetSection(Section);
        var mode = section["Mode"];
        return new NativeServerSettings
        {
            Mode = string.IsNullOrEmpty(mode) ? NativeServerMode.Auto
                : Enum.TryParse<NativeServerMode>(mode, ignoreCase: true, out var known) && Enum.IsDefined(known) ? known
                : throw new DistributedApplicationException($"{Section}:Mode is '{mode}'; it must be Auto, Always or Never."),
            StateDirectory = Path.GetFullPath(section["StateDirectory"] is { Length: > 0 } folder ? folder : ".local", appHostDirectory),
            Ports = section.GetSection("Ports").GetChildren().ToDictionary(port => port.Key, port => PortOf(port.Path, port.Value), StringComparer.OrdinalIgnoreCase),
            RandomizePorts = bool.TryParse(configuration["DcpPublisher:RandomizePorts"], out var randomize) && randomize,
        };
    }

    /// <summary>Whether the previous run ended without cleaning up: its processes may still be exiting.</summary>
    public bool LastRunWasKilled => Directory.Exists(StateDirectory) && Directory.EnumerateFiles(StateDirectory, $"*{SpecSuffix}").Any();

    /// <summary>The file with the guard's spec. It exists while the application runs.</summary>
    public string SpecFileOf(string resource) => Path.Combine(StateDirectory, $"{resource}{SpecSuffix}");

    public string DirectoryOf(string resource) => Path.Combine(StateDirectory, resource);

    /// <returns>The configured port, else the one in the model; 0 for a free one.</returns>
    public int PortOf(string resource, int? modelPort) =>
        RandomizePorts ? 0 : Ports.TryGetValue(resource, out var configured) ? configured : modelPort ?? 0;

    /// <summary>The environment variable that sets a resource's port.</summary>
    public static string PortVariable(string resource) => $"{Section}__Ports__{resource}";

    private static int PortOf(string key, string? value) =>
        ushort.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            ? port
            : throw new DistributedApplicationException($"{key} is '{value}'; it must be a port, 1 to 65535, or 0 for a free one.");
}
