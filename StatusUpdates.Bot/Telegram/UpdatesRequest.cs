using System.Text.Json;
using Telegram.Bot.Requests;

namespace StatusUpdates.Bot.Telegram;

/// <summary>
/// Polls for messages (https://core.telegram.org/bots/api#getupdates). Unlike the library's own request, it does not parse the response as a whole:
/// an update that cannot be parsed, such as one of a kind that is newer than the library, does not hold up the others.
/// </summary>
/// <param name="offset">The id of the first update to return.</param>
/// <param name="timeout">How long the poll stays open when there are none, in seconds.</param>
internal sealed class UpdatesRequest(int offset, int timeout) : RequestBase<JsonElement[]>("getUpdates")
{
    public int Offset => offset;

    public int Timeout => timeout;

    public string[] AllowedUpdates { get; } = [.. IncomingUpdate.Kinds];
}
