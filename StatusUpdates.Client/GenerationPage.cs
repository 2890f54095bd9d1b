namespace StatusUpdates.Client;

/// <summary>A page of the caller's generations, newest first.</summary>
/// <param name="Items">The generations of this page.</param>
/// <param name="Total">How many match in total; with a date filter, counted only up to 10,000.</param>
/// <param name="Limit">The requested page size.</param>
/// <param name="Offset">How many were skipped.</param>
/// <param name="NextCursor">The <see cref="GenerationQuery.Cursor"/> of the next page; null on the last page.</param>
/// <param name="TotalIsMore">Whether more than <paramref name="Total"/> match.</param>
public sealed record GenerationPage(
    IReadOnlyList<Generation> Items, long Total, int Limit, int Offset, string? NextCursor = null, bool TotalIsMore = false);
