using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Net;
using Microsoft.Extensions.Options;
using StatusUpdates.Messaging;

namespace StatusUpdates.ChatLinks;

/// <summary>The Telegram bot. Read by the bot; <c>BotName</c> and <c>MaxChats</c> by the API, which links chats.</summary>
public sealed class TelegramOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Telegram";

    /// <summary>What is wrong with a token.</summary>
    public const string TokenError = "Telegram:Token must be a bot's token as @BotFather gives it, such as 123456:ABC….";

    /// <summary>The bot's token. A secret: it is in the URL of every request, and is never shown.</summary>
    /// <value>required by the bot</value>
    [RegularExpression("[0-9]{1,16}:[A-Za-z0-9_-]{20,100}", ErrorMessage = TokenError)]
    public string Token { get; set; } = "";

    /// <summary>The bot's user name, without <c>@</c>. If set, a link code comes with an address that opens the bot.</summary>
    [RegularExpression("[A-Za-z0-9_]{3,64}", ErrorMessage = "Telegram:BotName must be the bot's user name on Telegram, without @.")]
    public string? BotName { get; set; }

    /// <summary>How many chats a user may link, counting unused codes.</summary>
    [Range(1, 1000)]
    public int MaxChats { get; set; } = 20;

    /// <summary>The Bot API's address: Telegram's, or a self-hosted server's (https://core.telegram.org/bots/api#using-a-local-bot-api-server).</summary>
    [Required(ErrorMessage = BaseUrlAttribute.Error)]
    [BaseUrl]
    public string BaseUrl { get; set; } = "https://api.telegram.org";

    /// <summary>
    /// The most messages a second that this process sends, to all chats; 0 for no limit. Telegram accepts about 30 from all of a bot's processes.
    /// </summary>
    // At higher rates the limiter's timer, which counts milliseconds, would never issue a permit.
    [Range(0.0, 1000.0)]
    public double MessagesPerSecond { get; set; } = 25;

    /// <summary>
    /// Networks, in CIDR notation, from which results may be fetched although they are not public: result URLs come from providers, and must not lead
    /// into the operator's network.
    /// </summary>
    [Networks]
    public string[] ResultNetworks { get; set; } = [];

    /// <summary>Messages a second to one private chat, on average: what Telegram asks for. 0 for no limit.</summary>
    public double ChatMessagesPerSecond { get; internal set; } = 1;

    /// <summary>Messages a second to one group, on average: Telegram accepts 20 a minute. 0 for no limit.</summary>
    public double GroupMessagesPerSecond { get; internal set; } = 0.3;

    /// <summary>How many messages are sent at once to a chat that got none for a while.</summary>
    public int ChatBurst { get; internal set; } = 4;

    /// <summary>How long Telegram may hold a poll for commands open when there are none, in whole seconds: at most 50.</summary>
    public TimeSpan PollTimeout { get; internal set; } = TimeSpan.FromSeconds(25);

    /// <summary>
    /// How long any other request may take, and a poll in addition to <see cref="PollTimeout"/>; a request with a file four times that.
    /// </summary>
    public TimeSpan RequestTimeout { get; internal set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often another instance tries to become the one that polls for commands.</summary>
    public TimeSpan StandbyInterval { get; internal set; } = TimeSpan.FromSeconds(5);

    /// <summary>The pause after the first failure to reach Telegram; doubled by each further one, minus a random part of up to half.</summary>
    public TimeSpan RetryBackOff { get; internal set; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest such pause.</summary>
    public TimeSpan MaxRetryBackOff { get; internal set; } = TimeSpan.FromMinutes(1);

    /// <summary>The pauses after failures to reach Telegram.</summary>
    public Backoff Backoff => new(RetryBackOff, MaxRetryBackOff);

    /// <summary>The bot's id at Telegram, which is the token's public part. The token must be valid.</summary>
    public long BotId => long.Parse(Token.AsSpan(0, Token.IndexOf(':', StringComparison.Ordinal)), CultureInfo.InvariantCulture);
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

/// <summary>Validates <see cref="TelegramOptions"/>.</summary>
[OptionsValidator]
public sealed partial class TelegramOptionsValidator : IValidateOptions<TelegramOptions>;
