namespace StatusUpdates.Benchmarks.Load;

/// <summary>A user of a benchmark with generations that are being processed, and the head of their log.</summary>
internal sealed class LoadUser(string id)
{
    public string Id { get; } = id;

    public List<string> Generations { get; } = [];

    /// <summary>Position of the latest update that was appended.</summary>
    public long Head { get; set; }
}
