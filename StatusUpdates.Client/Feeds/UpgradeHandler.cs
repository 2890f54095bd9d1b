using System.Net;

namespace StatusUpdates.Client;

/// <summary>
/// Reads what a server or a proxy says instead of switching protocols: the WebSocket would only tell the status. The exception arrives as
/// the inner one of the WebSocket's own.
/// </summary>
internal sealed class UpgradeHandler(HttpMessageHandler inner, TimeProvider time) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.SwitchingProtocols)
        {
            return response;
        }

        using (response)
        {
            throw await ProblemReader.ReadAsync(response, time, cancellationToken).ConfigureAwait(false);
        }
    }
}
