using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Transports;

/// <summary>When a connection must act on its token: a warning before it expires, the end after the clock skew.</summary>
/// <param name="ExpiresAt">The token's own expiry.</param>
/// <param name="WarnAt">When the client is warned: a fifth of the lifetime before the expiry, at most 60 s.</param>
/// <param name="EndAt">When the connection ends.</param>
internal sealed record TokenSchedule(DateTimeOffset ExpiresAt, DateTimeOffset WarnAt, DateTimeOffset EndAt)
{
    private static readonly TimeSpan MaxWarning = TimeSpan.FromSeconds(60);

    /// <param name="token">The token.</param>
    /// <param name="now">When the token was presented: taken as the start of its lifetime if it has no issue time.</param>
    public static TokenSchedule Of(AccessToken token, DateTimeOffset now)
    {
        var lifetime = token.ExpiresAt - (token.IssuedAt ?? now);
        var warning = lifetime / 5 is var fifth && fifth < MaxWarning ? fifth : MaxWarning;
        return new(token.ExpiresAt, token.ExpiresAt - (warning > TimeSpan.Zero ? warning : TimeSpan.Zero), EndOf(token.ExpiresAt));
    }

    private static DateTimeOffset EndOf(DateTimeOffset expiresAt) =>
        DateTimeOffset.MaxValue - expiresAt < AccessToken.ClockSkew ? DateTimeOffset.MaxValue : expiresAt + AccessToken.ClockSkew;
}
