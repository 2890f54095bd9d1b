using Microsoft.OpenApi;
using StatusUpdates.Api.OpenApi;

namespace StatusUpdates.Api.Security.QueryCredentials;

/// <summary>How the API's description shows a credential in the query, at the endpoints that take one there.</summary>
internal static class QueryCredentialParameters
{
    public static ParameterDescription[] All { get; } =
    [
        new("token", "An access token, for clients that can set no header. Not together with ticket.", Text),
        new("ticket", "A ticket in place of a token: works once.", Text),
    ];

    private static OpenApiSchema Text() => new() { Type = JsonSchemaType.String };
}
