using System.Collections.Frozen;

namespace StatusUpdates.Data.Types;

/// <summary>
/// The registered types and their tasks: what can be submitted. Generations of other types are from an earlier configuration, or another service's;
/// they can be read as any others. Immutable and thread-safe.
/// </summary>
public sealed class GenerationTypes
{
    private static readonly string[] Image = ["image/"];

    private readonly FrozenDictionary<string, RegisteredType> _types;
    private readonly FrozenDictionary<string, (RegisteredType Type, RegisteredTask Task)> _tasks;

    internal GenerationTypes(IReadOnlyList<RegisteredType> all)
    {
        All = all;
        Names = [.. all.Select(type => type.Name)];
        TaskNames = [.. all.SelectMany(type => type.Tasks).Select(task => task.Name)];
        _types = all.ToFrozenDictionary(type => type.Name, StringComparer.Ordinal);
        _tasks = all.SelectMany(type => type.Tasks.Select(task => (type, task))).ToFrozenDictionary(pair => pair.task.Name, StringComparer.Ordinal);
    }

    /// <summary>The types that are registered without any configuration.</summary>
    public static GenerationTypes Default { get; } = new(
    [
        new() { Name = "product_card", Title = "Product card", Tasks = [new() { Name = "product_card", Title = "Product card", Makes = Image }] },
        new() { Name = "sora", Title = "Video", Tasks = [new() { Name = "sora", Title = "Video", Makes = ["video/", .. Image] }] },
        new()
        {
            Name = "chat",
            Title = "Chat",
            Tasks =
            [
                new() { Name = "chat_processing", Title = "Answer", Makes = ["text/", "application/json"] },
                new() { Name = "image_generation", Title = "Image", Makes = Image },
            ],
        },
    ]);

    /// <summary>The types: the default ones first, then those of the configuration by name.</summary>
    public IReadOnlyList<RegisteredType> All { get; }

    /// <summary>The names of the types.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The names of the tasks of all types.</summary>
    public IReadOnlyList<string> TaskNames { get; }

    /// <summary>The type with this name; null if there is none.</summary>
    public RegisteredType? Find(string name) => _types.GetValueOrDefault(name);

    /// <summary>The type that this task belongs to; null if there is no such task.</summary>
    public RegisteredType? TypeOf(string task) => _tasks.GetValueOrDefault(task).Type;

    /// <summary>The task with this name; null if there is none.</summary>
    public RegisteredTask? FindTask(string task) => _tasks.GetValueOrDefault(task).Task;
}
