using System.Text.Json;
using System.Text.RegularExpressions;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

/// <summary>The manifest of AppHost.cs, written by Aspire's own publisher.</summary>
internal sealed partial class PublishedModel
{
    private static readonly Lazy<Task<PublishedModel>> Default = new(() => PublishAsync([]));

    private readonly JsonElement _resources;

    private PublishedModel(string text, JsonElement resources)
    {
        Text = text;
        _resources = resources;
    }

    /// <summary>The whole manifest.</summary>
    public string Text { get; }

    public IEnumerable<string> Names => _resources.EnumerateObject().Select(resource => resource.Name);

    public JsonElement this[string resource] => _resources.GetProperty(resource);

    /// <summary>The manifest without any setting, published once.</summary>
    public static Task<PublishedModel> DefaultAsync() => Default.Value;

    /// <param name="arguments">Settings, as arguments of the AppHost.</param>
    /// <param name="environment">Variables of the shell that publishes.</param>
    public static async Task<PublishedModel> PublishAsync(string[] arguments, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var file = Path.Combine(Path.GetTempPath(), $"manifest-{Path.GetRandomFileName()}.json");
        try
        {
            var (exitCode, output) = await AppHostProcess.RunAsync(["--publisher", "manifest", "--output-path", file, .. arguments], environment ?? new Dictionary<string, string?>());
            Assert.True(exitCode == 0, output);
            var text = await File.ReadAllTextAsync(file, TestTime.Token);
            using var json = JsonDocument.Parse(text);
            return new PublishedModel(text, json.RootElement.GetProperty("resources").Clone());
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>
    /// The environment that the manifest gives a service, with every placeholder replaced as a deployment tool replaces it.
    /// </summary>
    /// <param name="service">The project's name.</param>
    /// <param name="inputs">The operator's input: a parameter's value by its name, a binding's by <c>resource.bindings.name.property</c>.</param>
    public Dictionary<string, string?> EnvironmentOf(string service, IReadOnlyDictionary<string, string> inputs) =>
        this[service].GetProperty("env").EnumerateObject().ToDictionary(variable => variable.Name, variable => (string?)Resolve(variable.Value.GetString()!, inputs));

    private string Resolve(string text, IReadOnlyDictionary<string, string> inputs) => Placeholder().Replace(text, match =>
    {
        var path = match.Groups["path"].Value;
        if (inputs.TryGetValue(path, out var given))
        {
            return given;
        }

        var (resource, rest) = (path[..path.IndexOf('.')], path[(path.IndexOf('.') + 1)..]);
        if (rest == "inputs.value")
        {
            return inputs.TryGetValue(resource, out var value) ? value : throw new InvalidOperationException($"No input for {resource}.");
        }

        var found = this[resource];
        foreach (var part in rest.Split('.'))
        {
            found = found.GetProperty(part);
        }

        return Resolve(found.GetString()!, inputs);
    });

    [GeneratedRegex(@"\{(?<path>[A-Za-z0-9_.-]+)\}")]
    private static partial Regex Placeholder();
}
