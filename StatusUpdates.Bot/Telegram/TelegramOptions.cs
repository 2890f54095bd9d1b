using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Net;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Bot.Telegram;

/// <summary>How the bot reaches Telegram; configuration section <c>Telegram</c>.</summary>
internal sealed class TelegramOptions
{
    public const string SectionName = "Telegram";

    // Of more a second the limiter's timer, which counts milliseconds, would never give any.
    private const double MaxRate = 1000;

    private const string TokenError = "Telegram:Token must be a bot's token as @BotFather gives it, such as 123456:ABC….";

    /// <summary>The bot's token. A secret: it stands in the address of every request, and is shown nowhere.</summary>
    [Required(ErrorMessage = TokenError)]
    [RegularExpression("[0-9]{1,16}:[A-Za-z0-9_-]{20,100}", ErrorMessage = TokenError)]
    public string Token { get; set; } = "";

    /// <summary>The bot's number at Telegram, which is the token's public part. Of a valid token.</summary>
    public long BotId => long.Parse(Token.AsSpan(0, Token.IndexOf(':', StringComparison.Ordinal)), CultureInfo.InvariantCulture);

    /// <summary>The Bot API's address: Telegram's, or a server of one's own (https://core.telegram.org/bots/api#using-a-local-bot-api-server).</summary>
    [Required(ErrorMessage = BaseUrlAttribute.Error)]
    [BaseUrl]
    public string BaseUrl { get; set; } = "https://api.telegram.org";

    /// <summary>How long Telegram may keep a question for commands open when there are none, in whole seconds. Default 25 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan PollTimeout { get; set; } = TimeSpan.FromSeconds(25);

    /// <summary>
    /// How long any other request may take, and a question beyond <see cref="PollTimeout"/>; an upload four times that. Default 15 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long another instance waits before it tries again to be the one that asks for commands. Default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:05:00")]
    public TimeSpan StandbyInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Pause after a first failure to reach Telegram; doubled by each further one, and up to a half of it taken off by chance. Default 1 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan RetryBackOff { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest such pause. Default 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan MaxRetryBackOff { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Messages a second that the process sends at most, to all chats. Telegram takes about 30. Default 25; 0 for no bound.</summary>
    [Range(0.0, MaxRate)]
    public double MessagesPerSecond { get; set; } = 25;

    /// <summary>Messages a second to one private chat, in the long run. Default 1, which is what Telegram asks for; 0 for no bound.</summary>
    [Range(0.0, MaxRate)]
    public double ChatMessagesPerSecond { get; set; } = 1;

    /// <summary>Messages a second to one group, in the long run. Telegram takes 20 a minute. Default 0.3; 0 for no bound.</summary>
    [Range(0.0, MaxRate)]
    public double GroupMessagesPerSecond { get; set; } = 0.3;

    /// <summary>How many messages a chat that was silent is sent at once. Default 4.</summary>
    [Range(1, 1000)]
    public int ChatBurst { get; set; } = 4;

    /// <summary>
    /// Networks, in CIDR notation, that results may be fetched from though they are not public. Empty by default: a result's address is
    /// its provider's word, and must not lead into the operator's network.
    /// </summary>
    [Networks]
    public string[] ResultNetworks { get; set; } = [];
}

[AttributeUsage(AttributeTargets.Property)]
internal sealed class BaseUrlAttribute() : ValidationAttribute(Error)
{
    public const string Error = "Telegram:BaseUrl must be an absolute http or https address without a path, such as http://localhost:8081.";

    public override bool IsValid(object? value) =>
        value is null or ""
        || (value is string text
            && Uri.TryCreate(text, UriKind.Absolute, out var url)
            && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps)
            && url is { AbsolutePath: "/", Query: "", Fragment: "", UserInfo: "" });
}

[AttributeUsage(AttributeTargets.Property)]
internal sealed class NetworksAttribute()
    : ValidationAttribute("Telegram:ResultNetworks must be networks in CIDR notation, such as 10.1.0.0/16.")
{
    public override bool IsValid(object? value) => value is string[] texts && texts.All(text => IPNetwork.TryParse(text, out _));
}

[OptionsValidator]
internal sealed partial class TelegramOptionsValidator : IValidateOptions<TelegramOptions>;
