namespace StatusUpdates.Benchmarks.Load;

/// <summary>A benchmark user with generations in progress, and the head of the user's log.</summary>
internal sealed class LoadUser(string id)
{
    public string Id { get; } = id;

    public List<string> Generations { get; } = [];

    /// <summary>Position of the latest appended update.</summary>
    public long Head { get; set; }
}
