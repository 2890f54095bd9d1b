using System.Net.Sockets;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Api.Webhooks;

/// <summary>What the parts of a webhook must be, the same when it is registered and when it is changed. Thread-safe.</summary>
internal sealed class WebhookRules(AddressPolicy policy, HostLookUps lookUps, IOptions<WebhookOptions> options)
{
    private const string Url = "url";

    /// <summary>
    /// Judges a URL by its text, and its host by the addresses that it has now. A name that has none, or not in time, is accepted: where it
    /// leads is judged again for every connection.
    /// </summary>
    public async Task CheckUrlAsync(string? url, string userId, FieldErrors errors, CancellationToken cancellationToken)
    {
        if (!WebhookUrl.TryParse(url, policy, out var parsed, out var error))
        {
            errors.Add(Url, error);
            return;
        }

        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(options.Value.ResolveTimeout);
        try
        {
            await WebhookHttp.ResolveAsync(parsed.IdnHost, userId, policy, lookUps, timeout.Token);
        }
        catch (ForbiddenAddressException e)
        {
            errors.Add(Url, e.Message);
        }
        catch (Exception e) when (e is SocketException or ArgumentException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // Nobody knows the name yet, nobody answers, or it is none: then nothing will be delivered either.
        }
    }

    public static void CheckDescription(string? description, FieldErrors errors)
    {
        if (description?.Length > CreateWebhookRequest.MaxDescriptionLength)
        {
            errors.Add("description", $"Must have at most {CreateWebhookRequest.MaxDescriptionLength} characters.");
        }
        else if (description is not null && !ProviderText.IsClean(description))
        {
            errors.Add("description", "Must not contain U+0000 or lone surrogates.");
        }
    }

    /// <summary>The wire names of a filter; null for all, also after saying what is wrong.</summary>
    public static string[]? Names<T>(string field, IReadOnlyList<T>? values, Func<T, string> nameOf, IReadOnlyList<string> all, FieldErrors errors)
    {
        if (values is null)
        {
            return null;
        }

        if (values.Count == 0 || values.Distinct().Count() < values.Count)
        {
            errors.Add(field, $"Must be left out, or a list of some of these, each once: {string.Join(", ", all)}.");
            return null;
        }

        return [.. values.Select(nameOf)];
    }
}
