using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;

namespace StatusUpdates.Api.Security.QueryCredentials;

/// <summary>Moves <c>token</c> and <c>ticket</c> from a request's query into a <see cref="QueryCredential"/>.</summary>
internal static class CredentialStripping
{
    public const string Token = "token";
    public const string Ticket = "ticket";

    /// <summary>
    /// Strips both parameters in every spelling that query parsers accept (percent-encoded, any case), also from the raw target. The credential of a
    /// repeated parameter is empty, because it is ambiguous; validators refuse an empty one.
    /// </summary>
    public static void Strip(IHttpRequestFeature request, IFeatureCollection features)
    {
        string? token = null;
        string? ticket = null;
        var rest = new StringBuilder(request.QueryString.Length);
        foreach (var pair in new QueryStringEnumerable(request.QueryString))
        {
            var name = pair.DecodeName().Span;
            if (name.Equals(Token, StringComparison.OrdinalIgnoreCase))
            {
                token = token is null ? pair.DecodeValue().ToString() : "";
            }
            else if (name.Equals(Ticket, StringComparison.OrdinalIgnoreCase))
            {
                ticket = ticket is null ? pair.DecodeValue().ToString() : "";
            }
            else
            {
                rest.Append(rest.Length == 0 ? '?' : '&').Append(pair.EncodedName.Span);
                if (!pair.EncodedValue.IsEmpty)
                {
                    rest.Append('=').Append(pair.EncodedValue.Span);
                }
            }
        }

        if (token is null && ticket is null)
        {
            return;
        }

        features.Set(new QueryCredential(token, ticket));
        var query = rest.ToString();
        request.QueryString = query;
        var target = request.RawTarget;
        var mark = target.IndexOf('?', StringComparison.Ordinal);
        request.RawTarget = mark < 0 ? target : string.Concat(target.AsSpan(0, mark), query);
    }
}
