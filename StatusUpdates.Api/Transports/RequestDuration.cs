using Microsoft.AspNetCore.Http.Features;

namespace StatusUpdates.Api.Transports;

/// <summary>The metric <c>http.server.request.duration</c>.</summary>
internal static class RequestDuration
{
    /// <summary>
    /// Leaves the request out of it from here on: a connection that stands lasts as long as its client likes, and among requests that are answered it would
    /// be all that the metric shows. What is refused before stays in. Connections have metrics of their own.
    /// </summary>
    public static void LeaveOut(HttpContext context) => context.Features.Get<IHttpMetricsTagsFeature>()?.MetricsDisabled = true;
}
