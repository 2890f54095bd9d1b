namespace StatusUpdates.Api.Security.QueryCredentials;

/// <summary>
/// What a request carried in its query as <c>token</c> and <c>ticket</c>, for clients that can set no header. The request itself no
/// longer holds them. Null: not given. Kept as a feature of the request.
/// </summary>
internal sealed record QueryCredential(string? Token, string? Ticket);

/// <summary>Metadata of the endpoints that take credentials from the query: WebSocket and SSE, nothing else.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class AcceptsQueryCredentialsAttribute : Attribute;

internal static class QueryCredentialExtensions
{
    /// <summary>Lets the endpoint take a credential from the query.</summary>
    public static TBuilder AcceptsQueryCredentials<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new AcceptsQueryCredentialsAttribute());

    /// <summary>The query's credential, if the endpoint takes one and the query held one.</summary>
    public static QueryCredential? GetQueryCredential(this HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<AcceptsQueryCredentialsAttribute>() is null
            ? null
            : context.Features.Get<QueryCredential>();
}
