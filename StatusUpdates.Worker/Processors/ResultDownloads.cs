using System.Net;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Results;
using StatusUpdates.Egress;
using StatusUpdates.ResultStore;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>
/// Opens results at addresses that providers name. Addresses are untrusted: each connection, also after a redirect, goes only to the public internet
/// or to <see cref="ResultsOptions.AllowedNetworks"/>. Thread-safe.
/// </summary>
internal sealed class ResultDownloads(IOptions<ResultsOptions> options, HostLookups lookups, TimeProvider time) : IDisposable
{
    private const int MaxRedirects = 5;

    private readonly HttpClient _http = new(EgressHttp.CreateHandler(
        new AddressPolicy(options.Value.AllowedNetworks.Select(text => IPNetwork.Parse(text)), allowHttp: true), lookups))
    {
        // The whole copy has a time limit.
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>Opens a result.</summary>
    /// <returns>The response, whose content is still to be read.</returns>
    /// <exception cref="ProviderException">There is no such result; the user reads why.</exception>
    /// <exception cref="HttpRequestException">The server does not answer, or with an error that may pass.</exception>
    public async Task<HttpResponseMessage> OpenAsync(ProviderDownload download, CancellationToken cancellationToken)
    {
        var url = download.Url;
        for (var redirects = 0; ; redirects++)
        {
            if (!ResultRules.IsAddress(url))
            {
                throw new ProviderException("The provider's result leads to an address that is not a plain http or https address.");
            }

            var response = await SendAsync(url, cancellationToken);
            if (response.IsSuccessStatusCode)
            {
                return response;
            }

            using (response)
            {
                if (response.Headers.Location is not { } next || (int)response.StatusCode is < 300 or >= 400)
                {
                    throw FailureOf(response.StatusCode, download);
                }

                url = redirects < MaxRedirects
                    ? new Uri(url, next)
                    : throw new ProviderException("The provider's result leads to one address after the other.");
            }
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> SendAsync(Uri url, CancellationToken cancellationToken)
    {
        try
        {
            return await _http.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (HttpRequestException e) when (e.InnerException is ForbiddenAddressException or ForbiddenPortException)
        {
            throw new ProviderException("The provider's result is at an address that must not be called: it is not on the public internet.", e);
        }
    }

    private Exception FailureOf(HttpStatusCode status, ProviderDownload download)
    {
        var failure = new HttpRequestException($"The result's address answered {(int)status}.", null, status);
        return !TransientFailures.Contains(failure) && download.ExpiresAt <= time.GetUtcNow()
            ? new ProviderException("The provider's result expired before it was copied.", failure)
            : failure;
    }
}
