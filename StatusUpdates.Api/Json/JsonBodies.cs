using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Net.Http.Headers;
using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.Json;

/// <summary>
/// Refuses a body in another charset than UTF-8 (RFC 8259, section 8.1) before it is read: the framework treats an unknown charset as a server error.
/// </summary>
internal static class JsonBodies
{
    private const string Utf8 = "utf-8";

    /// <summary>Order: after routing, which determines whether the endpoint takes a body, and after authorization.</summary>
    public static void UseJsonBodies(this WebApplication app) => app.Use((context, next) =>
        TakesJson(context) && !IsUtf8(context.Request)
            ? ProblemResult.Of(StatusCodes.Status415UnsupportedMediaType).ExecuteAsync(context)
            : next(context));

    private static bool TakesJson(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetMetadata<IAcceptsMetadata>()?.ContentTypes.Contains("application/json") is true;

    private static bool IsUtf8(HttpRequest request)
    {
        // A missing or invalid media type is left to the handler, which refuses it.
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type))
        {
            return true;
        }

        foreach (var charset in type.Parameters.Where(parameter => parameter.Name.Equals("charset", StringComparison.OrdinalIgnoreCase)))
        {
            if (!HeaderUtilities.RemoveQuotes(charset.Value).Equals(Utf8, StringComparison.OrdinalIgnoreCase))
            {
                return false;
            }

            // The framework does not understand a quoted charset (RFC 9110, section 5.6.6).
            charset.Value = Utf8;
        }

        request.ContentType = type.ToString();
        return true;
    }
}
