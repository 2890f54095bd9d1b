using StatusUpdates.Api.Queries;

namespace StatusUpdates.Api.Security.QueryCredentials;

/// <summary>
/// The <c>token</c> and <c>ticket</c> of a request's query, for clients that can set no header; null if absent. The request itself no
/// longer contains them. Stored as a feature of the request.
/// </summary>
internal sealed record QueryCredential(string? Token, string? Ticket);

/// <summary>Metadata of the endpoints that accept credentials in the query: only WebSocket and SSE.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class AcceptsQueryCredentialsAttribute : Attribute;

internal static class QueryCredentialExtensions
{
    /// <summary>Lets the endpoint accept a credential in the query, which <see cref="CredentialStripping"/> takes from there.</summary>
    public static RouteHandlerBuilder AcceptsQueryCredentials(this RouteHandlerBuilder builder) => builder
        .WithMetadata(new AcceptsQueryCredentialsAttribute())
        .DescribesParameters(
            new(CredentialStripping.Token, "An access token, for clients that cannot set headers. Cannot be combined with ticket.", Parameters.AnyText),
            new(CredentialStripping.Ticket, "A ticket instead of a token; works once.", Parameters.AnyText));

    /// <summary>The query's credential, if there was one and the endpoint accepts it.</summary>
    public static QueryCredential? GetQueryCredential(this HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<AcceptsQueryCredentialsAttribute>() is null
            ? null
            : context.Features.Get<QueryCredential>();
}
