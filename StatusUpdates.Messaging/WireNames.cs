using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.Messaging;

/// <summary>The names an enum has on the wire, in Postgres and in query strings. Matching is case-sensitive.</summary>
internal sealed class WireNames<T>
    where T : struct, Enum
{
    private readonly FrozenDictionary<T, string> _names;
    private readonly FrozenDictionary<string, T> _values;

    public WireNames(params (T Value, string Name)[] pairs)
    {
        _names = pairs.ToFrozenDictionary(p => p.Value, p => p.Name);
        _values = pairs.ToFrozenDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal);
        All = [.. pairs.Select(p => p.Name)];
    }

    public IReadOnlyList<string> All { get; }

    public string NameOf(T value) =>
        _names.TryGetValue(value, out var name)
            ? name
            : throw new ArgumentOutOfRangeException(nameof(value), value, $"Not a {typeof(T).Name}.");

    public bool TryParse(string? name, out T value) => _values.TryGetValue(name ?? "", out value);

    public T Parse(string name) => TryParse(name, out var value) ? value : throw new FormatException($"{name} is not a {typeof(T).Name}.");
}

/// <summary>Reads and writes an enum by its wire name; anything else, including numbers, throws an <see cref="UnacceptableValueException"/>.</summary>
/// <remarks>Public, because source generators in other assemblies must see the converters of the types they serialize.</remarks>
public abstract class WireNameConverter<T> : JsonConverter<T>
    where T : struct, Enum
{
    private readonly WireNames<T> _names;

    private protected WireNameConverter(WireNames<T> names) => _names = names;

    /// <inheritdoc/>
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String && _names.TryParse(reader.GetString(), out var value))
        {
            return value;
        }

        throw UnacceptableValueException.Allowed(_names.All);
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteStringValue(_names.NameOf(value));
}
