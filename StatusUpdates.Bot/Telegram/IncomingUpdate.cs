using System.Text.Json;
using System.Text.Json.Serialization;
using Telegram.Bot.Exceptions;

namespace StatusUpdates.Bot.Telegram;

/// <summary>
/// What the bot reads of an update (https://core.telegram.org/bots/api#update): messages, and posts in channels, where only administrators write.
/// Other kinds, such as requests to join a chat, are not requested; those that arrive anyway, from before the bot's first poll, are skipped.
/// </summary>
/// <param name="Id">Its id.</param>
/// <param name="Message">The message; null if it is something else, or cannot be parsed (<paramref name="Fault"/>).</param>
/// <param name="Fault">Why it cannot be parsed; null if nothing is wrong.</param>
internal sealed record IncomingUpdate(int Id, IncomingMessage? Message, string? Fault)
{
    /// <summary>The kinds of updates that are requested.</summary>
    public static IReadOnlyList<string> Kinds { get; } = ["message", "channel_post"];

    /// <summary>Parses an update of any kind.</summary>
    /// <exception cref="RequestException">It has no id, so it cannot even be skipped.</exception>
    public static IncomingUpdate Read(JsonElement update)
    {
        if (update.ValueKind != JsonValueKind.Object || !update.TryGetProperty("update_id", out var number) || number.ValueKind != JsonValueKind.Number || !number.TryGetInt32(out var id))
        {
            throw new RequestException("Telegram sent an update without an id.");
        }

        try
        {
            foreach (var kind in Kinds)
            {
                if (update.TryGetProperty(kind, out var message))
                {
                    return new(id, message.Deserialize(IncomingJsonContext.Default.IncomingMessage), null);
                }
            }

            return new(id, null, null);
        }
        catch (JsonException e)
        {
            return new(id, null, e.Message);
        }
    }
}

/// <summary>What the bot reads of a message.</summary>
/// <param name="Chat">The chat in which it was written.</param>
/// <param name="Text">Its text; null if it has none.</param>
/// <param name="MessageThreadId">Its thread: a topic, or a thread of replies, to which nothing can be sent.</param>
/// <param name="IsTopicMessage">Whether the thread is a topic.</param>
/// <param name="MigrateToChatId">In a group that has become a supergroup: its new id.</param>
/// <param name="MigrateFromChatId">In a supergroup that was a group: its old id.</param>
internal sealed record IncomingMessage(
    [property: JsonRequired] IncomingChat Chat, string? Text, int? MessageThreadId, bool? IsTopicMessage, long? MigrateToChatId, long? MigrateFromChatId)
{
    /// <summary>Where to answer.</summary>
    public ChatPlace Place => new(Chat.Id, IsTopicMessage == true ? MessageThreadId : null);
}

/// <summary>What the bot reads of a chat.</summary>
/// <param name="Id">Its id; negative for groups and channels.</param>
/// <param name="Type"><c>private</c>, <c>channel</c>, or one of the kinds of groups.</param>
/// <param name="Title">A group's or channel's name.</param>
/// <param name="Username">A person's Telegram user name.</param>
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
