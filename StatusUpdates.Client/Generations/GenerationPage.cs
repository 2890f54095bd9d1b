namespace StatusUpdates.Client;

/// <summary>A page of the caller's generations, newest first.</summary>
/// <param name="Items">The page.</param>
/// <param name="Total">How many match in all.</param>
/// <param name="Limit">How many were asked for.</param>
/// <param name="Offset">How many were skipped.</param>
/// <param name="NextCursor">The <see cref="GenerationQuery.Cursor"/> of the next page; null on the last.</param>
public sealed record GenerationPage(IReadOnlyList<Generation> Items, long Total, int Limit, int Offset, string? NextCursor = null);
