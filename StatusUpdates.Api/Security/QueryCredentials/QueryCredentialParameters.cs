using StatusUpdates.Api.Queries;

namespace StatusUpdates.Api.Security.QueryCredentials;

/// <summary>OpenAPI descriptions of the credentials that some endpoints accept in the query; <see cref="CredentialStripping"/> reads them.</summary>
internal static class QueryCredentialParameters
{
    public static Parameter[] All { get; } =
    [
        new(CredentialStripping.Token, "An access token, for clients that cannot set headers. Cannot be combined with ticket.", Parameters.AnyText),
        new(CredentialStripping.Ticket, "A ticket instead of a token; works once.", Parameters.AnyText),
    ];
}
