namespace StatusUpdates.Tests.Infrastructure;

/// <summary>A type that only the configuration of a test knows.</summary>
internal static class PosterType
{
    public const string Name = "poster";
    public const string Task = "print_poster";

    private const string Key = $"Generations:Types:{Name}";

    /// <summary>One task, which makes images and takes a required size, a number of copies and a switch.</summary>
    public static readonly (string Key, string Value)[] Settings =
    [
        ($"{Key}:Title", "Poster"),
        ($"{Key}:Tasks:{Task}:Title", "Print"),
        ($"{Key}:Tasks:{Task}:Makes:0", "image/"),
        ($"{Key}:Tasks:{Task}:Options:size:Title", "Paper size"),
        ($"{Key}:Tasks:{Task}:Options:size:Values:0", "a3"),
        ($"{Key}:Tasks:{Task}:Options:size:Values:1", "a4"),
        ($"{Key}:Tasks:{Task}:Options:size:Required", "true"),
        ($"{Key}:Tasks:{Task}:Options:copies:Type", "integer"),
        ($"{Key}:Tasks:{Task}:Options:copies:Min", "1"),
        ($"{Key}:Tasks:{Task}:Options:copies:Max", "10"),
        ($"{Key}:Tasks:{Task}:Options:glossy:Type", "boolean"),
    ];

    public static IReadOnlyDictionary<string, string?> Configuration { get; } = Settings.ToDictionary(setting => setting.Key, setting => (string?)setting.Value);
}
