using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports;

/// <summary>When a connection's token must be spoken of: a warning before it expires, the end after the clock skew.</summary>
/// <param name="ExpiresAt">The token's own expiry.</param>
/// <param name="WarnAt">When the client is told: a fifth of the lifetime before, 60 s at most.</param>
/// <param name="EndAt">When the connection ends.</param>
internal sealed record TokenClock(DateTimeOffset ExpiresAt, DateTimeOffset WarnAt, DateTimeOffset EndAt)
{
    private static readonly TimeSpan LongestWarning = TimeSpan.FromSeconds(60);

    /// <param name="token">The token.</param>
    /// <param name="skew">How far clocks may differ.</param>
    /// <param name="now">When it was presented: where its lifetime is taken to begin if it does not say.</param>
    public static TokenClock Of(AccessToken token, TimeSpan skew, DateTimeOffset now)
    {
        var lifetime = token.ExpiresAt - (token.IssuedAt ?? now);
        var warning = lifetime / 5 is var fifth && fifth < LongestWarning ? fifth : LongestWarning;
        return new(token.ExpiresAt, token.ExpiresAt - (warning > TimeSpan.Zero ? warning : TimeSpan.Zero), Add(token.ExpiresAt, skew));
    }

    private static DateTimeOffset Add(DateTimeOffset time, TimeSpan span) =>
        DateTimeOffset.MaxValue - time < span ? DateTimeOffset.MaxValue : time + span;
}
