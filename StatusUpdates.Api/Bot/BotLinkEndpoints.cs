using System.Globalization;
using System.Security.Claims;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Hosting;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.ChatLinks;

namespace StatusUpdates.Api.Bot;

/// <summary><c>/api/v1/bot/links</c>: the Telegram chats that receive the caller's updates. The bot itself is StatusUpdates.Bot.</summary>
internal static class BotLinkEndpoints
{
    // Unused codes of one user: enough to link several chats at once.
    private const int MaxLinkCodes = 5;

    // Long enough to find the chat in Telegram.
    private static readonly TimeSpan LinkCodeLifetime = TimeSpan.FromMinutes(10);

    public static void AddBotLinks(this IHostApplicationBuilder builder)
    {
        builder.AddLinkCodes();
        builder.AddChatLinks();
        builder.Services.AddSectionOptions<TelegramOptions, TelegramOptionsValidator>(TelegramOptions.SectionName);
    }

    public static void MapBotLinks(this WebApplication app)
    {
        var group = app.MapPlainGroup("/api/v1/bot/links", "Bot");

        group.MapPost("/", CreateAsync)
            .WithName("CreateBotLink")
            .WithSummary("Creates a code that links a Telegram chat")
            .WithDescription(
                "Send the code to the bot as \"/start <code>\", in a private chat or a group, to link that chat to the caller. " +
                "A code works once and expires within minutes.")
            .ProducesProblems(StatusCodes.Status409Conflict);

        group.MapGet("/", ListAsync)
            .WithName("ListBotLinks")
            .WithSummary("Lists the caller's linked Telegram chats");

        group.MapDelete("/{chatId}", DeleteAsync)
            .WithName("DeleteBotLink")
            .WithSummary("Unlinks a Telegram chat")
            .ProducesProblems(StatusCodes.Status404NotFound);
    }

    private static async Task<Results<Created<Success<LinkCodeView>>, ProblemResult>> CreateAsync(
        ClaimsPrincipal user, TelegramLinkCodes codes, IOptions<TelegramOptions> options, CancellationToken cancellationToken)
    {
        var settings = options.Value;
        var result = await codes.IssueAsync(user.GetUserId(), LinkCodeLifetime, MaxLinkCodes, settings.MaxChats, cancellationToken);
        return result switch
        {
            { Code: { } code } => TypedResults.Created(
                (string?)null, new Success<LinkCodeView>(new(code.Text, code.ExpiresAt, UrlOf(code.Text, settings.BotName)))),
            { Refusal: LinkCodeRefusal.TooManyCodes } => new ProblemResult(
                ProblemCodes.TooManyLinkCodes, $"There are {MaxLinkCodes} unused codes already; use one of them, or wait until they expire."),
            _ => new ProblemResult(
                ProblemCodes.TooManyChats, $"At most {settings.MaxChats} chats can be linked, counting unused codes; unlink one first."),
        };
    }

    private static async Task<Ok<Success<LinkedChatList>>> ListAsync(
        ClaimsPrincipal user, TelegramLinkStore links, CancellationToken cancellationToken)
    {
        var chats = await links.ListAsync(user.GetUserId(), cancellationToken);
        return TypedResults.Ok(new Success<LinkedChatList>(
            new([.. chats.Select(chat => new LinkedChatView(chat.ChatId, chat.ChatName, chat.LinkedAt))])));
    }

    // An id that is not a number gets the same 404 as an unlinked chat and another user's chat.
    private static async Task<Results<NoContent, ProblemResult>> DeleteAsync(
        string chatId, ClaimsPrincipal user, TelegramLinkStore links, CancellationToken cancellationToken) =>
        long.TryParse(chatId, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var id)
        && await links.UnlinkAsync(id, user.GetUserId(), null, cancellationToken)
            ? TypedResults.NoContent()
            : ProblemResult.NotFound("There is no such linked chat.");

    private static string? UrlOf(string code, string? botName) => botName is null ? null : $"https://t.me/{botName}?start={code}";
}
