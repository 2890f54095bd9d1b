using System.Text.Json;

namespace StatusUpdates.Messaging;

/// <summary>
/// A value in JSON that its converter does not accept. The message says which values it does accept, repeats nothing of the input, and may be shown to
/// its sender; messages of other JSON exceptions name types of this program.
/// </summary>
/// <param name="message">Which values are accepted.</param>
public sealed class UnacceptableValueException(string message) : JsonException(message)
{
    /// <summary>For a value that must be one of a few names.</summary>
    public static UnacceptableValueException Allowed(IEnumerable<string> names) => new($"Allowed are: {string.Join(", ", names)}.");
}
