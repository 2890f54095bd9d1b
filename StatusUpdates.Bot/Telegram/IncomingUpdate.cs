using System.Text.Json;
using System.Text.Json.Serialization;
using Telegram.Bot.Exceptions;

namespace StatusUpdates.Bot.Telegram;

/// <summary>What the bot reads of an update (https://core.telegram.org/bots/api#update).</summary>
/// <param name="Id">Its number.</param>
/// <param name="Message">The message; null if it is something else, or <paramref name="Fault"/> says why it cannot be read.</param>
/// <param name="Fault">What is wrong with it; null if nothing is.</param>
internal sealed record IncomingUpdate(int Id, IncomingMessage? Message, string? Fault)
{
    /// <summary>Reads one, whatever it is.</summary>
    /// <exception cref="RequestException">It has no number, so that it cannot even be passed over.</exception>
    public static IncomingUpdate Read(JsonElement update)
    {
        if (update.ValueKind != JsonValueKind.Object || !update.TryGetProperty("update_id", out var number) || number.ValueKind != JsonValueKind.Number || !number.TryGetInt32(out var id))
        {
            throw new RequestException("Telegram sent an update without a number.");
        }

        try
        {
            return new(
                id, update.TryGetProperty("message", out var message) ? message.Deserialize(IncomingJsonContext.Default.IncomingMessage) : null, null);
        }
        catch (JsonException e)
        {
            return new(id, null, e.Message);
        }
    }
}

/// <summary>What the bot reads of a message.</summary>
/// <param name="Chat">Where it was written.</param>
/// <param name="Text">Its text; null if it has none.</param>
internal sealed record IncomingMessage([property: JsonRequired] IncomingChat Chat, string? Text);

/// <summary>What the bot reads of a chat.</summary>
/// <param name="Id">Its number; negative for groups.</param>
/// <param name="Type"><c>private</c>, or one of the kinds of groups.</param>
/// <param name="Title">A group's name.</param>
/// <param name="Username">A person's name at Telegram.</param>
/// <param name="FirstName">A person's first name.</param>
/// <param name="LastName">A person's last name.</param>
internal sealed record IncomingChat(
    [property: JsonRequired] long Id, string? Type, string? Title, string? Username, string? FirstName, string? LastName)
{
    public bool IsPrivate => Type == "private";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(IncomingMessage))]
internal sealed partial class IncomingJsonContext : JsonSerializerContext;
