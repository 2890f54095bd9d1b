using Microsoft.EntityFrameworkCore;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Generations;

/// <summary>Reads generations, always those of one user. One use at a time, as its EF Core context.</summary>
public sealed class GenerationQueries(StatusDbContext context)
{
    /// <summary>The generation, or null if this user has none of that id.</summary>
    public Task<Generation?> FindAsync(string userId, string generationId, CancellationToken cancellationToken = default) =>
        context.Generations.AsNoTracking().TagWith("find generation").SingleOrDefaultAsync(g => g.Id == generationId && g.UserId == userId, cancellationToken);

    /// <summary>A page of a user's generations, newest first, with the number of all that match.</summary>
    /// <remarks>A page costs the same whatever the user has, and so does the total; with dates the total costs what lies between them.</remarks>
    public async Task<GenerationList> ListAsync(GenerationFilter filter, CancellationToken cancellationToken = default)
    {
        var total = await CountAsync(filter, cancellationToken);

        // One more than asked for tells whether there is a next page.
        var items = await Page(filter, filter.Limit + 1).TagWith("list generations").ToListAsync(cancellationToken);
        if (items.Count <= filter.Limit)
        {
            return new GenerationList(items, total, null);
        }

        items.RemoveAt(filter.Limit);
        return new GenerationList(items, total, new GenerationListCursor(items[^1].CreatedAt, items[^1].Id));
    }

    private async Task<long> CountAsync(GenerationFilter filter, CancellationToken cancellationToken)
    {
        if (filter is not { From: null, Before: null })
        {
            return await Matching(filter with { After = null }).TagWith("count generations").LongCountAsync(cancellationToken);
        }

        var counts = context.GenerationCounts.Where(c => c.UserId == filter.UserId);
        if (filter.Status is { } status)
        {
            counts = counts.Where(c => c.Status == status);
        }

        if (filter.Type is { } type)
        {
            counts = counts.Where(c => c.Type == type);
        }

        return await counts.TagWith("count generations").SumAsync(c => c.Count, cancellationToken);
    }

    // A status or a type alone is several ranges of the index, each in the order of the list. Asked for as ordered pages of their own they
    // are merged, and read only as far as the page goes.
    private IQueryable<Generation> Page(GenerationFilter filter, int rows)
    {
        var page = filter switch
        {
            { Status: not null, Type: null } => Merged(Enum.GetValues<GenerationType>().Select(type => filter with { Type = type })),
            { Status: null, Type: not null } => Merged(Enum.GetValues<GenerationStatus>().Select(status => filter with { Status = status })),
            _ => Matching(filter),
        };
        return NewestFirst(page).Skip(filter.Offset).Take(rows);

        IQueryable<Generation> Merged(IEnumerable<GenerationFilter> filters) =>
            filters.Select(one => NewestFirst(Matching(one)).Take(filter.Offset + rows)).Aggregate(Queryable.Concat);
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
            // One comparison of the pair, which the index answers; two conditions joined by OR it would not.
            matching = matching.Where(g => EF.Functions.LessThan(
                ValueTuple.Create(g.CreatedAt, g.Id), ValueTuple.Create(after.CreatedAt, after.Id)));
        }

        return matching;
    }
}
