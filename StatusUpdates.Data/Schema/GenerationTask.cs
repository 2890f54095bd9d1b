using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Serialization;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Schema;

/// <summary>The processor of a generation.</summary>
[JsonConverter(typeof(GenerationTaskConverter))]
public enum GenerationTask
{
    /// <summary>Wire name <c>product_card</c>; type <c>product_card</c>.</summary>
    ProductCard,

    /// <summary>Wire name <c>sora</c>; type <c>sora</c>.</summary>
    Sora,

    /// <summary>Wire name <c>chat_processing</c>; type <c>chat</c>.</summary>
    ChatProcessing,

    /// <summary>Wire name <c>image_generation</c>; type <c>chat</c>.</summary>
    ImageGeneration,
}

/// <summary>Wire names of <see cref="GenerationTask"/>, and which task belongs to which type.</summary>
public static class GenerationTaskNames
{
    private static readonly (GenerationTask Task, string Name, GenerationType Type)[] Rows =
    [
        (GenerationTask.ProductCard, "product_card", GenerationType.ProductCard),
        (GenerationTask.Sora, "sora", GenerationType.Sora),
        (GenerationTask.ChatProcessing, "chat_processing", GenerationType.Chat),
        (GenerationTask.ImageGeneration, "image_generation", GenerationType.Chat),
    ];

    private static readonly FrozenDictionary<string, GenerationTask> ByName =
        Rows.ToFrozenDictionary(r => r.Name, r => r.Task, StringComparer.Ordinal);

    /// <summary>All wire names.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Rows.Select(r => r.Name)];

    /// <summary>The name on the wire and in the database.</summary>
    public static string ToWireName(this GenerationTask task) => Row(task).Name;

    /// <summary>The type that this task belongs to.</summary>
    public static GenerationType TypeOf(GenerationTask task) => Row(task).Type;

    /// <summary>The tasks of a type, the default first.</summary>
    public static IReadOnlyList<GenerationTask> TasksOf(GenerationType type) =>
        [.. Rows.Where(r => r.Type == type).Select(r => r.Task)];

    /// <summary>The task with a wire name; case-sensitive.</summary>
    public static bool TryParse(string? name, out GenerationTask task)
    {
        task = default;
        return name is not null && ByName.TryGetValue(name, out task);
    }

    internal static GenerationTask Parse(string name) => ByName[name];

    private static (GenerationTask Task, string Name, GenerationType Type) Row(GenerationTask task) =>
        Array.Find(Rows, r => r.Task == task) is { Name: not null } row
            ? row
            : throw new ArgumentOutOfRangeException(nameof(task), task, "Not a task.");
}

/// <summary>Reads and writes <see cref="GenerationTask"/> by its wire name.</summary>
public sealed class GenerationTaskConverter : JsonConverter<GenerationTask>
{
    /// <inheritdoc/>
    public override GenerationTask Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && GenerationTaskNames.TryParse(reader.GetString(), out var task)
            ? task
            : throw UnacceptableValueException.Allowed(GenerationTaskNames.All);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, GenerationTask value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToWireName());
}
