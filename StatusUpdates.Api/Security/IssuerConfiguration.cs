using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.Configuration;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace StatusUpdates.Api.Security;

/// <summary>
/// The issuer's name and keys, as its metadata tells them (OpenID Connect Discovery 1.0, section 4). The framework's own manager refuses tokens of a new
/// key until a fetch in the background is done, and after that, or a fetch that failed, makes no other for minutes. Here <see cref="AccessTokenHandler"/>
/// waits for a fetch before it refuses. Anybody can make up key ids, so fetches are shared and have a rate, whatever asks for them.
/// Concurrency: thread-safe; one fetch at a time.
/// </summary>
/// <param name="address">Where the metadata is.</param>
/// <param name="documents">Reads what is there.</param>
/// <param name="time">The clock of waits and of the rate.</param>
/// <param name="logger">Where fetches are logged.</param>
internal sealed partial class IssuerConfiguration(string address, IDocumentRetriever documents, TimeProvider time, ILogger<IssuerConfiguration> logger)
    : BaseConfigurationManager, IConfigurationManager<OpenIdConnectConfiguration>
{
    /// <summary>How many fetches may follow each other at once, after a while without any.</summary>
    public const int Burst = 4;

    /// <summary>The time from one fetch to the next past that; who needs a key waits for it.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    // One that failed may be chance; two say that the issuer is away.
    private const int Tries = 2;

    private static readonly TimeSpan FetchTimeout = TimeSpan.FromSeconds(10);

    // When keys that are due to be looked at cannot be had: the old ones stand meanwhile.
    private static readonly TimeSpan OverdueInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private Fetched? _current;
    private Task<bool>? _fetch;
    private TimeSpan _dueAt;

    // Virtual scheduling (ITU-T I.371, annex A): when the next fetch would be due if they came evenly.
    private TimeSpan _evenlyAt;

    /// <summary>The time by which <see cref="IsAskedSince"/> goes.</summary>
    public TimeSpan Now => time.GetElapsedTime(0);

    /// <summary>Whether the configuration was fetched at all.</summary>
    public bool IsKnown => Volatile.Read(ref _current) is not null;

    /// <summary>Whether the issuer was asked for the present configuration at that time or later.</summary>
    public bool IsAskedSince(TimeSpan at) => Volatile.Read(ref _current) is { } current && current.AskedAt >= at;

    /// <summary>Fetches the configuration, or waits for the fetch that is under way. It never throws: false says that the issuer could not be asked.</summary>
    public Task<bool> FetchAsync()
    {
        lock (_gate)
        {
            return _fetch ??= FetchSharedAsync();
        }
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidConfigurationException">There is none yet, and the issuer could not be asked.</exception>
    public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel)
    {
        if (!IsKnown)
        {
            await FetchAsync().WaitAsync(cancel);
        }
        else if (Now >= _dueAt)
        {
            // Nobody waits for it: the keys that are known are as good as they were.
            _ = FetchAsync();
        }

        return Volatile.Read(ref _current)?.Configuration ?? throw new InvalidConfigurationException("The issuer's metadata could not be fetched.");
    }

    public override async Task<BaseConfiguration> GetBaseConfigurationAsync(CancellationToken cancel) => await GetConfigurationAsync(cancel);

    /// <summary>Nothing: whoever needs a key that is not known asks by <see cref="FetchAsync"/>, and waits.</summary>
    public override void RequestRefresh()
    {
    }

    private async Task<bool> FetchSharedAsync()
    {
        // Not under the caller's lock.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            for (var tries = 0; tries < Tries; tries++)
            {
                await Task.Delay(TakeTurn(), time);
                if (await TryFetchAsync())
                {
                    _dueAt = Now + AutomaticRefreshInterval;
                    return true;
                }
            }

            _dueAt = Now + OverdueInterval;
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
        var askedAt = Now;
        using var timeout = new CancellationTokenSource(FetchTimeout, time);
        try
        {
            var configuration = await OpenIdConnectConfigurationRetriever.GetAsync(address, documents, timeout.Token);
            if (string.IsNullOrEmpty(configuration.Issuer) || configuration.SigningKeys.Count == 0)
            {
                throw new InvalidConfigurationException("The metadata names no issuer, or no keys.");
            }

            Volatile.Write(ref _current, new(configuration, askedAt));
            LogFetched(logger, configuration.SigningKeys.Count);
            return true;
        }
        catch (Exception e)
        {
            // Whatever is wrong with what the issuer answers, or does not: what is known stands.
            LogNotFetched(logger, address, e);
            return false;
        }
    }

    // One fetch at a time asks.
    private TimeSpan TakeTurn()
    {
        var now = Now;
        var evenlyAt = _evenlyAt > now ? _evenlyAt : now;
        var wait = evenlyAt - now - (Interval * (Burst - 1));
        _evenlyAt = evenlyAt + Interval;
        return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
    }

    private sealed record Fetched(OpenIdConnectConfiguration Configuration, TimeSpan AskedAt);

    [LoggerMessage(4401, LogLevel.Debug, "The issuer has {Count} keys")]
    private static partial void LogFetched(ILogger logger, int count);

    [LoggerMessage(4402, LogLevel.Warning, "The issuer's metadata could not be fetched from {Address}")]
    private static partial void LogNotFetched(ILogger logger, string address, Exception exception);
}
