using System.Net.Sockets;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Types;
using StatusUpdates.Egress;
using StatusUpdates.Messaging;
using StatusUpdates.Webhooks;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Api.Webhooks;

/// <summary>Validates the parts of a webhook, by the same rules for creation and changes. Thread-safe.</summary>
internal sealed class WebhookRules(AddressPolicy policy, HostLookups lookups, GenerationTypes types, IOptions<WebhookOptions> options)
{
    private const string Url = "url";

    /// <summary>
    /// Checks a URL's text and its host's current addresses. A host name that does not resolve, or not in time, is accepted: its addresses are
    /// checked again for every connection.
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
            await EgressHttp.ResolveAsync(parsed.IdnHost, userId, policy, lookups, timeout.Token);
        }
        catch (ForbiddenAddressException e)
        {
            errors.Add(Url, e.Message);
        }
        catch (Exception e) when (e is SocketException or ArgumentException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // The name does not exist yet, DNS does not respond, or it is not a valid name: then nothing is delivered either.
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

    /// <summary>The wire names of a filter by status; null for all, or after adding errors.</summary>
    public static string[]? Statuses(IReadOnlyList<GenerationStatus>? statuses, FieldErrors errors) =>
        Names("statuses", statuses?.Select(status => status.ToWireName()), GenerationStatusNames.All, errors);

    /// <summary>The names of a filter by type; null for all, or after adding errors.</summary>
    public string[]? Types(IReadOnlyList<string>? names, FieldErrors errors)
    {
        for (var i = 0; i < names?.Count; i++)
        {
            if (!types.Names.Contains(names[i], StringComparer.Ordinal))
            {
                errors.Add($"types[{i}]", $"Allowed are: {string.Join(", ", types.Names)}.");
                return null;
            }
        }

        return Names("types", names, types.Names, errors);
    }

    private static string[]? Names(string field, IEnumerable<string>? values, IReadOnlyList<string> all, FieldErrors errors)
    {
        string[]? names = values is null ? null : [.. values];
        if (names is { Length: 0 } || names?.Distinct(StringComparer.Ordinal).Count() < names?.Length)
        {
            errors.Add(field, $"Must be omitted, or a list of some of these, each once: {string.Join(", ", all)}.");
            return null;
        }

        return names;
    }
}
