using Microsoft.EntityFrameworkCore;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Generations;

/// <summary>Reads a user's generations. Not thread-safe, like its EF Core context.</summary>
public sealed class GenerationQueries(StatusDbContext context)
{
    /// <summary>The maximum number of generations that are counted between two dates.</summary>
    public const int MaxCounted = 10_000;

    /// <summary>The generation, or null if this user has none with that id.</summary>
    public Task<Generation?> FindAsync(string userId, string generationId, CancellationToken cancellationToken = default) =>
        context.Generations.AsNoTracking().TagWith("find generation").SingleOrDefaultAsync(g => g.Id == generationId && g.UserId == userId, cancellationToken);

    /// <summary>Whether this user has submitted generations of this type.</summary>
    public Task<bool> HasTypeAsync(string userId, string type, CancellationToken cancellationToken = default) =>
        Counts(new() { UserId = userId, Type = type, Limit = 1 }).TagWith("find type").AnyAsync(cancellationToken);

    /// <summary>A page of a user's generations, newest first, with the number of all matches.</summary>
    /// <remarks>The cost does not grow with the number of the user's generations; with dates, up to <see cref="MaxCounted"/> are counted.</remarks>
    public async Task<GenerationList> ListAsync(GenerationFilter filter, CancellationToken cancellationToken = default)
    {
        var counts = await Counts(filter).Where(c => c.Count > 0).TagWith("count generations").ToListAsync(cancellationToken);
        var ranges = Ranges(filter, counts);
        if (ranges.Count == 0)
        {
            return new GenerationList([], 0, false, null);
        }

        var (total, isMore) = filter is { From: null, Before: null }
            ? (counts.Sum(c => c.Count), false)
            : await CountAsync(ranges, cancellationToken);

        // One more than requested tells whether there is a next page.
        var items = await Page(filter, ranges, filter.Limit + 1).TagWith("list generations").ToListAsync(cancellationToken);
        if (items.Count <= filter.Limit)
        {
            return new GenerationList(items, total, isMore, null);
        }

        items.RemoveAt(filter.Limit);
        return new GenerationList(items, total, isMore, new GenerationListCursor(items[^1].CreatedAt, items[^1].Id));
    }

    // A status or a type alone selects several ranges of the index, each in the order of the list. They are those that the user has, whatever types are
    // registered now.
    private static IReadOnlyList<GenerationFilter> Ranges(GenerationFilter filter, IReadOnlyList<GenerationCount> counts) =>
        filter.Status is null == filter.Type is null
            ? [filter]
            : [.. counts.Select(range => filter with { Status = range.Status, Type = range.Type })];

    private IQueryable<GenerationCount> Counts(GenerationFilter filter)
    {
        var counts = context.GenerationCounts.AsNoTracking().Where(c => c.UserId == filter.UserId);
        if (filter.Status is { } status)
        {
            counts = counts.Where(c => c.Status == status);
        }

        if (filter.Type is { } type)
        {
            counts = counts.Where(c => c.Type == type);
        }

        return counts;
    }

    // Each range is limited to the maximum, and read no further.
    private async Task<(long Total, bool IsMore)> CountAsync(IReadOnlyList<GenerationFilter> ranges, CancellationToken cancellationToken)
    {
        var counted = await ranges
            .Select(range => Matching(range with { After = null }).Select(g => g.Id).Take(MaxCounted + 1))
            .Aggregate(Queryable.Concat)
            .TagWith("count generations by date")
            .LongCountAsync(cancellationToken);
        return (Math.Min(counted, MaxCounted), counted > MaxCounted);
    }

    // As ordered pages of their own the ranges are merged, and each is read only as far as needed.
    private IQueryable<Generation> Page(GenerationFilter filter, IReadOnlyList<GenerationFilter> ranges, int rows)
    {
        var page = ranges.Count == 1
            ? Matching(ranges[0])
            : ranges.Select(range => NewestFirst(Matching(range)).Take(filter.Offset + rows)).Aggregate(Queryable.Concat);
        return NewestFirst(page).Skip(filter.Offset).Take(rows);
    }

    private static IQueryable<Generation> NewestFirst(IQueryable<Generation> generations) =>
        generations.OrderByDescending(g => g.CreatedAt).ThenByDescending(g => g.Id);

    private IQueryable<Generation> Matching(GenerationFilter filter)
    {
        var matching = context.Generations.AsNoTracking().Where(g => g.UserId == filter.UserId);
        if (filter.Status is { } status)
        {
            matching = matching.Where(g => g.Status == status);
        }

        if (filter.Type is { } type)
        {
            matching = matching.Where(g => g.Type == type);
        }

        if (filter.From is { } from)
        {
            matching = matching.Where(g => g.CreatedAt >= from.ToUniversalTime());
        }

        if (filter.Before is { } before)
        {
            matching = matching.Where(g => g.CreatedAt < before.ToUniversalTime());
        }

        if (filter.After is { } after)
        {
            // A comparison of rows, which the index can answer; it could not answer two conditions joined by OR.
            matching = matching.Where(g => EF.Functions.LessThan(
                ValueTuple.Create(g.CreatedAt, g.Id), ValueTuple.Create(after.CreatedAt, after.Id)));
        }

        return matching;
    }
}
