using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace StatusUpdates.Benchmarks.History;

/// <summary>Records the statements that EF Core sends, in order, so that EXPLAIN runs exactly what the API sends.</summary>
internal sealed class SentStatements : DbCommandInterceptor
{
    private readonly List<SentStatement> _statements = [];

    /// <summary>Returns the statements that were sent since the last call.</summary>
    public IReadOnlyList<SentStatement> Take()
    {
        SentStatement[] taken = [.. _statements];
        _statements.Clear();
        return taken;
    }

    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        _statements.Add(SentStatement.Of(command));
        return new(result);
    }
}
