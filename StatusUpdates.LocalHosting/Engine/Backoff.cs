namespace StatusUpdates.LocalHosting.Engine;

/// <summary>How long to wait before a crashed process is started again: doubling from 250 ms to 30 s, jittered by a quarter either way.</summary>
internal sealed class Backoff
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    /// <summary>Crashes since it last ran well.</summary>
    public int Failures { get; private set; }

    public TimeSpan Next()
    {
        var plain = Math.Min(First.TotalMilliseconds * Math.Pow(2, Math.Min(Failures, 10)), Longest.TotalMilliseconds);
        Failures++;
        return TimeSpan.FromMilliseconds(plain * (0.75 + (Random.Shared.NextDouble() / 2)));
    }

    public void Reset() => Failures = 0;
}
