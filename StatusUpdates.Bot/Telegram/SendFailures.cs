using System.Net;
using Telegram.Bot.Exceptions;

namespace StatusUpdates.Bot.Telegram;

/// <summary>Maps a failed request to its meaning. The Bot API's error codes are coarse; details are only in its descriptions.</summary>
internal static class SendFailures
{
    private static readonly TimeSpan DefaultRetryAfter = TimeSpan.FromSeconds(5);

    private static readonly string[] ChatGone =
        ["chat not found", "user is deactivated", "group chat was deactivated", "PEER_ID_INVALID", "user not found", "bot was kicked"];

    private static readonly string[] MessageGone = ["message to edit not found", "message can't be edited", "MESSAGE_ID_INVALID"];

    private static readonly string[] TopicGone = ["message thread not found", "TOPIC_DELETED", "TOPIC_ID_INVALID"];

    // Temporary: administrators can restore rights and reopen topics.
    private static readonly string[] NotAllowed =
    [
        "not enough rights", "have no rights", "need administrator rights", "CHAT_WRITE_FORBIDDEN", "CHAT_SEND_", "CHAT_RESTRICTED", "CHAT_ADMIN_REQUIRED",
        "TOPIC_CLOSED",
    ];

    /// <summary>The meaning of an error response of the Bot API.</summary>
    public static SendResult Of(ApiRequestException e) => e switch
    {
        { ErrorCode: 429 } => With(SendOutcome.RetryAfter, e) with
        {
            RetryAfter = e.Parameters?.RetryAfter is > 0 and var seconds ? TimeSpan.FromSeconds(seconds) : DefaultRetryAfter,
        },
        { Parameters.MigrateToChatId: { } to } => With(SendOutcome.ChatMoved, e) with { MovedTo = to },
        { ErrorCode: 400 or 403 } when Says(e, NotAllowed) => With(SendOutcome.NotAllowed, e),
        { ErrorCode: 403 } => With(SendOutcome.ChatGone, e),
        { ErrorCode: 400 } when Says(e, ["message is not modified"]) => new SendResult(SendOutcome.Sent),
        { ErrorCode: 400 } when Says(e, TopicGone) => With(SendOutcome.TopicGone, e),
        { ErrorCode: 400 } when Says(e, ChatGone) => With(SendOutcome.ChatGone, e),
        { ErrorCode: 400 } when Says(e, MessageGone) => With(SendOutcome.MessageGone, e),
        { ErrorCode: 400 or 413 } => With(SendOutcome.Refused, e),

        // 401 and 404: the token is invalid. That can be fixed; messages wait until then.
        _ => With(SendOutcome.Failed, e),
    };

    /// <summary>The meaning of no response, or of one that cannot be parsed.</summary>
    public static SendResult Of(RequestException e) => e.HttpStatusCode switch
    {
        HttpStatusCode.RequestEntityTooLarge => new SendResult(SendOutcome.Refused) { Reason = e.Message },
        _ => new SendResult(SendOutcome.Failed) { Reason = e.Message },
    };

    private static SendResult With(SendOutcome outcome, ApiRequestException e) =>
        new(outcome) { Reason = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{e.ErrorCode} {e.Message}") };

    private static bool Says(ApiRequestException e, string[] texts) =>
        Array.Exists(texts, text => e.Message.Contains(text, StringComparison.OrdinalIgnoreCase));
}
