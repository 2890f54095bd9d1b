using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.LocalHosting.Engine;

/// <summary>What a project's launch profile says: the first of <c>Properties/launchSettings.json</c> that runs the project.</summary>
internal sealed record LaunchProfile(IReadOnlyList<Uri> Urls, IReadOnlyDictionary<string, string> Environment)
{
    /// <returns>Null if the project has none.</returns>
    public static LaunchProfile? Read(string projectPath)
    {
        var file = Path.Combine(Path.GetDirectoryName(projectPath) ?? "", "Properties", "launchSettings.json");
        return File.Exists(file) ? Parse(File.ReadAllText(file)) : null;
    }

    internal static LaunchProfile? Parse(string json)
    {
        var profiles = JsonSerializer.Deserialize(json, LaunchSettingsJson.Default.LaunchSettingsFile)?.Profiles ?? [];
        var profile = profiles.Values.FirstOrDefault(each => each.CommandName == "Project");
        return profile is null ? null : new LaunchProfile(
            // No development certificate here, so no https.
            [.. (profile.ApplicationUrl ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries).Select(url => new Uri(url)).Where(url => url.Scheme == Uri.UriSchemeHttp)],
            profile.EnvironmentVariables ?? []);
    }
}

internal sealed record LaunchSettingsFile(Dictionary<string, LaunchSettingsProfile>? Profiles);

internal sealed record LaunchSettingsProfile(string? CommandName, string? ApplicationUrl, Dictionary<string, string>? EnvironmentVariables);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true)]
[JsonSerializable(typeof(LaunchSettingsFile))]
internal sealed partial class LaunchSettingsJson : JsonSerializerContext;
