using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using StatusUpdates.Egress;

namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>
/// Limits concurrent deliveries: how many webhooks of a user are delivered to at once, and how many deliveries go to one address at once. A caller that
/// gets no permit within a moment releases its cursor and retries later. Waiting does not count as an attempt, because others cause it. Thread-safe.
/// </summary>
internal sealed class DeliveryGate(HostLookups lookups, IOptions<WebhookOptions> options, TimeProvider time)
{
    /// <summary>How long nothing is started for a webhook that got no permit.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    // Deliveries to fast receivers release their permits sooner; the wait occupies a slot of the process.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly KeyedSemaphore _users = new(options.Value.Delivery.UserWebhooks);
    private readonly KeyedSemaphore _addresses = new(options.Value.Delivery.AddressInFlight);

    // Receivers that are slow or fail hold permits for long, so they get only half of an address: unrelated users can share it.
    private readonly KeyedSemaphore _troubled = new(Math.Max(1, options.Value.Delivery.AddressInFlight / 2));

    /// <summary>Takes a permit of a user, to deliver to one webhook.</summary>
    /// <returns>Releases the permit when it is disposed; null if there was none in time.</returns>
    /// <exception cref="OperationCanceledException">The token ended the wait.</exception>
    public Task<IDisposable?> TryEnterAsync(string userId, CancellationToken cancellationToken) => TryEnterAsync(_users, userId, cancellationToken);

    /// <summary>Takes a permit for one attempt at a URL. Its host is looked up first; if it has no address, the attempt will report that.</summary>
    /// <returns>Releases the permit when it is disposed; null if there was none in time, or none for the host lookup.</returns>
    /// <exception cref="OperationCanceledException">The token ended the wait.</exception>
    public async Task<IDisposable?> TryEnterAsync(string userId, Uri url, bool isTroubled, CancellationToken cancellationToken)
    {
        IPAddress[]? addresses;
        try
        {
            addresses = await lookups.TryResolveAsync(url.IdnHost, userId, Patience, cancellationToken);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            return await TryEnterAddressAsync(url.IdnHost, isTroubled, cancellationToken);
        }

        return addresses is null ? null : await TryEnterAddressAsync(addresses[0].ToString(), isTroubled, cancellationToken);
    }

    private async Task<IDisposable?> TryEnterAddressAsync(string address, bool isTroubled, CancellationToken cancellationToken)
    {
        var troubled = isTroubled ? await TryEnterAsync(_troubled, address, cancellationToken) : null;
        if (isTroubled && troubled is null)
        {
            return null;
        }

        IDisposable? permit = null;
        try
        {
            permit = await TryEnterAsync(_addresses, address, cancellationToken);
        }
        finally
        {
            if (permit is null)
            {
                troubled?.Dispose();
            }
        }

        return permit is null || troubled is null ? permit : new TwoPermits(permit, troubled);
    }

    private async Task<IDisposable?> TryEnterAsync(KeyedSemaphore permits, string key, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await permits.EnterAsync(key, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private sealed class TwoPermits(IDisposable first, IDisposable second) : IDisposable
    {
        public void Dispose()
        {
            first.Dispose();
            second.Dispose();
        }
    }
}
