using System.Text.Json.Serialization;

namespace StatusUpdates.Messaging;

/// <summary>
/// Where a generation is in its lifecycle: pending -> processing -> completed | failed | canceled; pending -> canceled | failed;
/// processing -> processing (progress) | pending (retry). A terminal state is final.
/// </summary>
[JsonConverter(typeof(GenerationStatusConverter))]
public enum GenerationStatus
{
    /// <summary>Accepted, waiting for a worker. Wire name <c>pending</c>.</summary>
    Pending,

    /// <summary>A worker has claimed it. Wire name <c>processing</c>.</summary>
    Processing,

    /// <summary>Finished with results. Terminal. Wire name <c>completed</c>.</summary>
    Completed,

    /// <summary>Finished without results. Terminal. Wire name <c>failed</c>.</summary>
    Failed,

    /// <summary>Stopped on the user's request. Terminal. Wire name <c>canceled</c>.</summary>
    Canceled,
}

/// <summary>Wire names of <see cref="GenerationStatus"/>.</summary>
public static class GenerationStatusNames
{
    private static readonly WireNames<GenerationStatus> Names = new(
        (GenerationStatus.Pending, "pending"),
        (GenerationStatus.Processing, "processing"),
        (GenerationStatus.Completed, "completed"),
        (GenerationStatus.Failed, "failed"),
        (GenerationStatus.Canceled, "canceled"));

    internal static WireNames<GenerationStatus> Table => Names;

    /// <summary>All wire names, in the order of the lifecycle.</summary>
    public static IReadOnlyList<string> All => Names.All;

    /// <summary>The name on the wire and in the database.</summary>
    public static string ToWireName(this GenerationStatus status) => Names.NameOf(status);

    /// <summary>Parses a wire name; case-sensitive.</summary>
    public static bool TryParse(string? name, out GenerationStatus status) => Names.TryParse(name, out status);

    /// <summary>Parses a wire name; case-sensitive.</summary>
    /// <exception cref="FormatException">Not a wire name.</exception>
    public static GenerationStatus Parse(string name) => Names.Parse(name);

    /// <summary>Whether this status is final.</summary>
    public static bool IsTerminal(this GenerationStatus status) =>
        status is GenerationStatus.Completed or GenerationStatus.Failed or GenerationStatus.Canceled;
}

/// <summary>Reads and writes <see cref="GenerationStatus"/> by its wire name.</summary>
public sealed class GenerationStatusConverter() : WireNameConverter<GenerationStatus>(GenerationStatusNames.Table);
