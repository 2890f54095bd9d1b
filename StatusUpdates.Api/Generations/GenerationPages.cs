using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary>A page of a user's generations, newest first.</summary>
/// <param name="Items">The page.</param>
/// <param name="Total">The number of all matches; with a date filter, counted up to 10,000.</param>
/// <param name="TotalIsMore">True if there are more matches than <c>total</c>; otherwise absent.</param>
/// <param name="Limit">The maximum number of items that was requested.</param>
/// <param name="Offset">How many were skipped.</param>
/// <param name="NextCursor">The cursor of the next page; absent on the last page.</param>
internal sealed record GenerationPage(IReadOnlyList<GenerationView> Items, long Total, bool? TotalIsMore, int Limit, int Offset, string? NextCursor);

/// <summary>A generation's updates.</summary>
/// <param name="Items">In order of <c>seq</c>.</param>
/// <param name="Complete">False if retention has removed some of the requested updates.</param>
internal sealed record HistoryPage(IReadOnlyList<StatusUpdate> Items, bool Complete);
