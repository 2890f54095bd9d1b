using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using StatusUpdates.LocalHosting.Hosting;
using StatusUpdates.LocalHosting.Native;

namespace StatusUpdates.LocalHosting.Engine;

/// <summary>The folder of one application: servers' folders, kept parameters, <c>resources.json</c>, and a lock that one run at a time holds.</summary>
internal sealed class LocalState : IDisposable
{
    private const UnixFileMode Passable = // The servers' own accounts pass through to their folders, and see nothing on the way.
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly EngineSettings _settings;
    private readonly FileStream _lock;
    private readonly SemaphoreSlim _writing = new(1);

    private LocalState(EngineSettings settings, FileStream held)
    {
        _settings = settings;
        _lock = held;
    }

    public string ResourcesFile => Path.Combine(_settings.StateDirectory, "resources.json");

    private string ParametersFile => Path.Combine(_settings.StateDirectory, "parameters.json");

    /// <exception cref="DistributedApplicationException">Another run holds the folder.</exception>
    public static async Task<LocalState> OpenAsync(EngineSettings settings, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(settings.StateDirectory, Passable);
        var file = Path.Combine(settings.StateDirectory, "lock");
        FileStream held;
        try
        {
            held = new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (File.Exists(file))
        {
            throw new DistributedApplicationException(
                $"StatusUpdates already runs from {settings.StateDirectory}{await HolderAsync(settings, cancellationToken)}. Stop that run first (Ctrl+C there).");
        }

        await File.WriteAllTextAsync(HolderFile(settings), Environment.ProcessId.ToString(CultureInfo.InvariantCulture), cancellationToken);
        return new LocalState(settings, held);
    }

    public string DirectoryOf(string name) => Path.Combine(_settings.StateDirectory, name);

    /// <summary>The value kept under that name, or the new one, which is then kept.</summary>
    public async Task<string> KeepAsync(string name, Func<string> create, CancellationToken cancellationToken)
    {
        var kept = File.Exists(ParametersFile)
            ? JsonSerializer.Deserialize(await File.ReadAllTextAsync(ParametersFile, cancellationToken), LocalStateJson.Default.DictionaryStringString) ?? []
            : [];
        if (!kept.TryGetValue(name, out var value))
        {
            kept[name] = value = create();
            await PrivateFile.WriteAsync(ParametersFile, JsonSerializer.Serialize(kept, LocalStateJson.Default.DictionaryStringString), cancellationToken);
        }

        return value;
    }

    /// <summary>Writes what runs (mode 600: it holds passwords).</summary>
    public async Task WriteResourcesAsync(Func<Dictionary<string, ResourceEntry>> entries, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            // Read inside the turn, so that the last to write writes the latest.
            var text = JsonSerializer.Serialize(entries(), LocalStateJson.Default.DictionaryStringResourceEntry);
            await PrivateFile.WriteAsync(ResourcesFile, text, cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    public void Dispose()
    {
        File.Delete(ResourcesFile);
        _writing.Dispose();
        _lock.Dispose();
        if (_settings.IsTemporary)
        {
            ServerFolder.Delete(_settings.StateDirectory);
        }
    }

    // Not in the lock file itself: who does not hold the lock cannot read that.
    private static string HolderFile(EngineSettings settings) => Path.Combine(settings.StateDirectory, "lock.pid");

    private static async Task<string> HolderAsync(EngineSettings settings, CancellationToken cancellationToken) =>
        File.Exists(HolderFile(settings)) ? $" (process {await File.ReadAllTextAsync(HolderFile(settings), cancellationToken)})" : "";
}

/// <summary>One entry of resources.json.</summary>
internal sealed record ResourceEntry(string Kind, string? Url, string? ConnectionString, int? Pid);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Dictionary<string, string>))]
[JsonSerializable(typeof(Dictionary<string, ResourceEntry>))]
internal sealed partial class LocalStateJson : JsonSerializerContext;
