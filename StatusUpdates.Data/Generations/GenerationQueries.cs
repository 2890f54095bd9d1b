using Microsoft.EntityFrameworkCore;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.Data.Generations;

/// <summary>Reads generations, always those of one user. One use at a time, as its EF Core context.</summary>
public sealed class GenerationQueries(StatusDbContext context)
{
    /// <summary>The generation, or null if this user has none of that id.</summary>
    public Task<Generation?> FindAsync(string userId, string generationId, CancellationToken cancellationToken = default) =>
        context.Generations.AsNoTracking().SingleOrDefaultAsync(g => g.Id == generationId && g.UserId == userId, cancellationToken);

    /// <summary>A page of a user's generations, newest first, with the number of all that match.</summary>
    public async Task<GenerationList> ListAsync(GenerationFilter filter, CancellationToken cancellationToken = default)
    {
        var matching = Matching(filter);
        var total = await matching.LongCountAsync(cancellationToken);

        var page = matching;
        if (filter.After is { } after)
        {
            // One comparison of the pair, which the index answers; two conditions joined by OR it would not.
            page = page.Where(g => EF.Functions.LessThan(
                ValueTuple.Create(g.CreatedAt, g.Id), ValueTuple.Create(after.CreatedAt, after.Id)));
        }

        // One more than asked for tells whether there is a next page.
        var items = await page
            .OrderByDescending(g => g.CreatedAt).ThenByDescending(g => g.Id)
            .Skip(filter.Offset).Take(filter.Limit + 1)
            .ToListAsync(cancellationToken);
        if (items.Count <= filter.Limit)
        {
            return new GenerationList(items, total, null);
        }

        items.RemoveAt(filter.Limit);
        return new GenerationList(items, total, new GenerationListCursor(items[^1].CreatedAt, items[^1].Id));
    }

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

        return matching;
    }
}
