using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Bot;

/// <summary>Settings of linking chats; configuration section <c>Telegram</c>, which the bot reads too.</summary>
internal sealed class BotLinkOptions
{
    public const string SectionName = "Telegram";

    /// <summary>The bot's name at Telegram, without <c>@</c>. With it a code comes with the address that opens the bot.</summary>
    [RegularExpression("[A-Za-z0-9_]{3,64}", ErrorMessage = "Telegram:BotName must be the bot's user name at Telegram, without @.")]
    public string? BotName { get; set; }

    /// <summary>How long a code can be used. Default 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "1.00:00:00")]
    public TimeSpan LinkCodeLifetime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How many unused codes a user may have at a time. Default 5.</summary>
    [Range(1, 100)]
    public int MaxLinkCodes { get; set; } = 5;

    /// <summary>How many chats a user may link; unused codes count. Default 20.</summary>
    [Range(1, 1000)]
    public int MaxChats { get; set; } = 20;
}

[OptionsValidator]
internal sealed partial class BotLinkOptionsValidator : IValidateOptions<BotLinkOptions>;
