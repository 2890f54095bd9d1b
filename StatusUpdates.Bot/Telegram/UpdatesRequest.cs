using System.Text.Json;
using Telegram.Bot.Requests;

namespace StatusUpdates.Bot.Telegram;

/// <summary>
/// Asks for messages (https://core.telegram.org/bots/api#getupdates). Other than with the library's own request, the answer is not read as
/// a whole: one update that cannot be read, such as one of a kind that is newer than the library, keeps no other back.
/// </summary>
/// <param name="offset">The number of the first one that is wanted.</param>
/// <param name="timeout">How long the question stays open when there are none, in seconds.</param>
internal sealed class UpdatesRequest(int offset, int timeout) : RequestBase<JsonElement[]>("getUpdates")
{
    public int Offset => offset;

    public int Timeout => timeout;

    public string[] AllowedUpdates { get; } = [.. IncomingUpdate.Kinds];
}
