namespace StatusUpdates.SampleProviders.Rendering;

/// <summary>
/// Random numbers that are the same for the same seed, on every machine and version of .NET: SplitMix64 (Steele, Lea, Flood:
/// Fast Splittable Pseudorandom Number Generators, 2014). Not thread-safe.
/// </summary>
internal sealed class SeededRandom(ulong seed)
{
    private ulong _state = seed;

    /// <summary>From 0 to below 1.</summary>
    public float Next() => (NextBits() >> 40) / (float)(1 << 24);

    /// <summary>From <paramref name="low"/> to below <paramref name="high"/>.</summary>
    public float Between(float low, float high) => low + ((high - low) * Next());

    /// <summary>From 0 to <paramref name="count"/> - 1.</summary>
    public int Index(int count) => (int)(NextBits() % (ulong)count);

    private ulong NextBits()
    {
        _state += 0x9E3779B97F4A7C15;
        var bits = _state;
        bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9;
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB;
        return bits ^ (bits >> 31);
    }
}
