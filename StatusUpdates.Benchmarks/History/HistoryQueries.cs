using Microsoft.EntityFrameworkCore;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Benchmarks.History;

/// <summary>A query for the list of generations.</summary>
/// <param name="Name">Its name in the report.</param>
/// <param name="Filter">The filter and page.</param>
/// <param name="HasConstantCost">Whether the cost of a page must not grow with the number of generations.</param>
internal sealed record HistoryQuery(string Name, GenerationFilter Filter, bool HasConstantCost = true);

/// <summary>Runs the API's list queries and records the statements that they send.</summary>
internal sealed class HistoryQueries : IAsyncDisposable
{
    private readonly SentStatements _sent = new();
    private readonly StatusDbContext _context;
    private readonly GenerationQueries _queries;

    public HistoryQueries(StatusDatabase database)
    {
        var builder = new DbContextOptionsBuilder<StatusDbContext>();
        database.Configure(builder);
        _context = new StatusDbContext(builder.AddInterceptors(_sent).Options);
        _queries = new GenerationQueries(_context);
    }

    /// <summary>All kinds of filters and positions for a user's list in <see cref="HistoryData"/>.</summary>
    public async Task<IReadOnlyList<HistoryQuery>> AllAsync(string user, CancellationToken cancellationToken)
    {
        var first = new GenerationFilter { UserId = user, Limit = 50 };
        var total = (await _queries.ListAsync(first, cancellationToken)).Total;

        // The cursors that a client would have there, without paging all the way.
        var times = await _context.Generations.Where(g => g.UserId == user)
            .GroupBy(_ => 1).Select(g => new { First = g.Min(x => x.CreatedAt), Last = g.Max(x => x.CreatedAt) }).SingleAsync(cancellationToken);
        var deep = new GenerationListCursor(times.First + ((times.Last - times.First) * 0.1), "gen-");
        var middle = times.First + ((times.Last - times.First) * 0.5);
        _sent.Take();
        return
        [
            new("first page", first),
            new("deep cursor (nine tenths down)", first with { After = deep }),
            new("status, common", first with { Status = GenerationStatus.Completed }),
            new("status, rare", first with { Status = GenerationStatus.Pending }),
            new("type", first with { Type = "sora" }),
            new("status and type, common", first with { Status = GenerationStatus.Completed, Type = "sora" }),
            new("status and type, rare and old", first with { Status = GenerationStatus.Failed, Type = "chat" }),
            new("status, deep cursor", first with { Status = GenerationStatus.Completed, After = deep }),
            new("type, deep cursor", first with { Type = "sora", After = deep }),
            new("dates", first with { From = middle, Before = middle + TimeSpan.FromDays(1) }),
            new("status, type and dates", first with
            {
                Status = GenerationStatus.Completed, Type = "product_card", From = middle, Before = middle + TimeSpan.FromDays(1),
            }),
            new("offset 10,000", first with { Offset = (int)Math.Min(10_000, total / 2) }, HasConstantCost: false),
        ];
    }

    /// <summary>Runs a query once.</summary>
    /// <returns>The result, and the statements that were sent for the total and for the page.</returns>
    public async Task<(GenerationList List, SentStatement Total, SentStatement Page)> RunAsync(
        HistoryQuery query, CancellationToken cancellationToken)
    {
        _sent.Take();
        var list = await _queries.ListAsync(query.Filter, cancellationToken);
        var sent = _sent.Take();
        return (list, sent[^2], sent[^1]);
    }

    public ValueTask DisposeAsync() => _context.DisposeAsync();
}
