using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.Configuration;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace StatusUpdates.Api.Security.Bearer;

/// <summary>
/// The issuer's name and keys from its metadata (OpenID Connect Discovery 1.0, section 4). The framework's own manager refuses tokens with a
/// new key until a background fetch is done; after that fetch, or a failed one, it fetches no more for minutes. Here <see cref="AccessTokenHandler"/>
/// waits for a fetch before it refuses a token. Since anyone can invent key ids, all fetches are shared and rate-limited.
/// Concurrency: thread-safe; one fetch at a time.
/// </summary>
/// <param name="address">The metadata's address.</param>
/// <param name="documents">Reads the metadata.</param>
/// <param name="time">The clock of time-outs and of the rate limit.</param>
/// <param name="logger">Logs fetches.</param>
internal sealed partial class IssuerConfiguration(string address, IDocumentRetriever documents, TimeProvider time, ILogger<IssuerConfiguration> logger)
    : BaseConfigurationManager, IConfigurationManager<OpenIdConnectConfiguration>
{
    /// <summary>How many fetches may follow each other directly, after a while without any.</summary>
    public const int Burst = 4;

    /// <summary>The interval between fetches beyond the burst; callers that need a key wait for it.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    // One failure may be chance; two mean that the issuer is unavailable.
    private const int MaxAttempts = 2;

    private static readonly TimeSpan FetchTimeout = TimeSpan.FromSeconds(10);

    // The refresh interval after a failed refresh; the old keys remain in use meanwhile.
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private Fetched? _current;
    private Task<bool>? _fetch;
    private TimeSpan _refreshAt;

    // Virtual scheduling (ITU-T I.371, annex A): the theoretical arrival time, when the next fetch would be due if fetches were evenly spaced.
    private TimeSpan _theoreticalArrival;

    /// <summary>The current time, for <see cref="WasRequestedSince"/>.</summary>
    public TimeSpan Now => time.GetElapsedTime(0);

    /// <summary>Whether the configuration has ever been fetched.</summary>
    public bool IsKnown => Volatile.Read(ref _current) is not null;

    /// <summary>Whether the current configuration was requested from the issuer at this time or later.</summary>
    public bool WasRequestedSince(TimeSpan at) => Volatile.Read(ref _current) is { } current && current.RequestedAt >= at;

    /// <summary>Fetches the configuration, or joins the running fetch. Never throws: false means that the fetch failed.</summary>
    public Task<bool> FetchAsync()
    {
        lock (_gate)
        {
            return _fetch ??= FetchSharedAsync();
        }
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidConfigurationException">There is no configuration yet, and the fetch failed.</exception>
    public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel)
    {
        if (!IsKnown)
        {
            await FetchAsync().WaitAsync(cancel);
        }
        else if (Now >= _refreshAt)
        {
            // Not awaited: the known keys remain valid meanwhile.
            _ = FetchAsync();
        }

        return Volatile.Read(ref _current)?.Configuration ?? throw new InvalidConfigurationException("The issuer's metadata could not be fetched.");
    }

    public override async Task<BaseConfiguration> GetBaseConfigurationAsync(CancellationToken cancel) => await GetConfigurationAsync(cancel);

    /// <summary>Does nothing: callers that need an unknown key call <see cref="FetchAsync"/> and wait.</summary>
    public override void RequestRefresh()
    {
    }

    private async Task<bool> FetchSharedAsync()
    {
        // Not within the caller's lock.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            for (var attempt = 0; attempt < MaxAttempts; attempt++)
            {
                await Task.Delay(ReserveFetch(), time);
                if (await TryFetchAsync())
                {
                    _refreshAt = Now + AutomaticRefreshInterval;
                    return true;
                }
            }

            _refreshAt = Now + RetryInterval;
            return false;
        }
        finally
        {
            lock (_gate)
            {
                _fetch = null;
            }
        }
    }

    private async Task<bool> TryFetchAsync()
    {
        var requestedAt = Now;
        using var timeout = new CancellationTokenSource(FetchTimeout, time);
        try
        {
            var configuration = await OpenIdConnectConfigurationRetriever.GetAsync(address, documents, timeout.Token);
            if (string.IsNullOrEmpty(configuration.Issuer) || configuration.SigningKeys.Count == 0)
            {
                throw new InvalidConfigurationException("The metadata has no issuer or no keys.");
            }

            Volatile.Write(ref _current, new(configuration, requestedAt));
            LogFetched(logger, configuration.SigningKeys.Count);
            return true;
        }
        catch (Exception e)
        {
            // If anything is wrong with the issuer or its response, the known configuration is kept.
            LogNotFetched(logger, address, e);
            return false;
        }
    }

    // Not thread-safe: called by one fetch at a time.
    private TimeSpan ReserveFetch()
    {
        var now = Now;
        var theoreticalArrival = _theoreticalArrival > now ? _theoreticalArrival : now;
        var wait = theoreticalArrival - now - (Interval * (Burst - 1));
        _theoreticalArrival = theoreticalArrival + Interval;
        return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
    }

    private sealed record Fetched(OpenIdConnectConfiguration Configuration, TimeSpan RequestedAt);

    [LoggerMessage(4401, LogLevel.Debug, "The issuer has {Count} keys")]
    private static partial void LogFetched(ILogger logger, int count);

    [LoggerMessage(4402, LogLevel.Warning, "The issuer's metadata could not be fetched from {Address}")]
    private static partial void LogNotFetched(ILogger logger, string address, Exception exception);
}
