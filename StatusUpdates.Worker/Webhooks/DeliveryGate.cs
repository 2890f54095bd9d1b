using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Worker.Webhooks;

/// <summary>
/// Shares what deliveries have in common: each user has so many webhooks that are delivered to at once, and each address so many deliveries. Who gets no
/// place within a moment gives its cursor back and comes again. Waiting is no attempt: what others bring about is nobody's failure. Thread-safe.
/// </summary>
internal sealed class DeliveryGate(HostLookUps lookUps, IOptions<DeliveryOptions> options, TimeProvider time)
{
    /// <summary>How long nothing is begun for a webhook that got no place.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    // Webhooks that are taken quickly need less; a slot of the process is held meanwhile.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly KeyedPlaces _users = new(options.Value.UserWebhooks);
    private readonly KeyedPlaces _addresses = new(options.Value.AddressInFlight);

    // What is slow or fails, and so holds its places for long, has half of an address: many who have nothing to do with each other can share one.
    private readonly KeyedPlaces _troubled = new(Math.Max(1, options.Value.AddressInFlight / 2));

    /// <summary>Takes a user's place, to deliver to one webhook.</summary>
    /// <returns>To be disposed of; null if there was none in time.</returns>
    /// <exception cref="OperationCanceledException">The token ended the wait.</exception>
    public Task<IDisposable?> TryEnterAsync(string userId, CancellationToken cancellationToken) => TryEnterAsync(_users, userId, cancellationToken);

    /// <summary>Takes a place for one attempt at a URL. Its host is looked up before: where there is no address, the attempt will tell.</summary>
    /// <param name="userId">Whose webhook.</param>
    /// <param name="url">Where to.</param>
    /// <param name="isTroubled">Whether its receiver was slow or failed lately.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>To be disposed of; null if there was none in time, or none to look the host up.</returns>
    /// <exception cref="OperationCanceledException">The token ended the wait.</exception>
    public async Task<IDisposable?> TryEnterAsync(string userId, Uri url, bool isTroubled, CancellationToken cancellationToken)
    {
        IPAddress[]? addresses;
        try
        {
            addresses = await lookUps.TryResolveAsync(url.IdnHost, userId, Patience, cancellationToken);
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

        IDisposable? place = null;
        try
        {
            place = await TryEnterAsync(_addresses, address, cancellationToken);
        }
        finally
        {
            if (place is null)
            {
                troubled?.Dispose();
            }
        }

        return place is null || troubled is null ? place : new TwoPlaces(place, troubled);
    }

    private async Task<IDisposable?> TryEnterAsync(KeyedPlaces places, string key, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await places.EnterAsync(key, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private sealed class TwoPlaces(IDisposable first, IDisposable second) : IDisposable
    {
        public void Dispose()
        {
            first.Dispose();
            second.Dispose();
        }
    }
}
