using System.Net;

namespace StatusUpdates.Client.Http;

/// <summary>
/// Reads the response when a server or proxy does not switch protocols: the WebSocket itself would report only the status. The exception
/// arrives as the inner exception of the <see cref="System.Net.WebSockets.WebSocketException"/>.
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
