using System.Text.Json.Serialization;

namespace StatusUpdates.Messaging;

/// <summary>The kind of content that a user requested.</summary>
[JsonConverter(typeof(GenerationTypeConverter))]
public enum GenerationType
{
    /// <summary>A product card. Wire name <c>product_card</c>.</summary>
    ProductCard,

    /// <summary>A video. Wire name <c>sora</c>.</summary>
    Sora,

    /// <summary>A chat answer, or an image made in a chat. Wire name <c>chat</c>.</summary>
    Chat,
}

/// <summary>Wire names of <see cref="GenerationType"/>.</summary>
public static class GenerationTypeNames
{
    private static readonly WireNames<GenerationType> Names = new(
        (GenerationType.ProductCard, "product_card"),
        (GenerationType.Sora, "sora"),
        (GenerationType.Chat, "chat"));

    internal static WireNames<GenerationType> Table => Names;

    /// <summary>All wire names.</summary>
    public static IReadOnlyList<string> All => Names.All;

    /// <summary>The name on the wire and in the database.</summary>
    public static string ToWireName(this GenerationType type) => Names.NameOf(type);

    /// <summary>Parses a wire name; case-sensitive.</summary>
    public static bool TryParse(string? name, out GenerationType type) => Names.TryParse(name, out type);

    /// <summary>Parses a wire name; case-sensitive.</summary>
    /// <exception cref="FormatException">Not a wire name.</exception>
    public static GenerationType Parse(string name) => Names.Parse(name);
}

/// <summary>Reads and writes <see cref="GenerationType"/> by its wire name.</summary>
public sealed class GenerationTypeConverter() : WireNameConverter<GenerationType>(GenerationTypeNames.Table);
