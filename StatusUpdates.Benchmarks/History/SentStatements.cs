using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace StatusUpdates.Benchmarks.History;

/// <summary>Keeps what EF Core sends, in its order: what is explained is what the API sends.</summary>
internal sealed class SentStatements : DbCommandInterceptor
{
    private readonly List<SentStatement> _statements = [];

    /// <summary>What was sent since the last call.</summary>
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
