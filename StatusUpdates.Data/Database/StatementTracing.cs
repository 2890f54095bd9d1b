using System.Diagnostics;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>
/// Which statements Npgsql creates spans for, and what the spans contain. Only statements within a request or a job have one; what a timer's
/// poll finds is recorded by <see cref="StatementSpans"/>. The first line of a statement (<c>-- read log</c>) is the name and operation of its
/// span, and appears in <c>pg_stat_activity</c> too.
/// </summary>
internal static class StatementTracing
{
    private const string Comment = "-- ";

    public static void Configure(NpgsqlTracingOptionsBuilder tracing) => tracing
        .ConfigureCommandFilter(static _ => IsPartOfATrace)
        .ConfigureBatchFilter(static _ => IsPartOfATrace)
        .ConfigureCommandSpanNameProvider(static command => NameOf(command.CommandText))
        .ConfigureBatchSpanNameProvider(static batch => NameOf(batch))
        .ConfigureCommandEnrichmentCallback(static (span, _) => Describe(span))
        .ConfigureBatchEnrichmentCallback(static (span, _) => Describe(span))
        .EnableFirstResponseEvent(false)

        // A connection is opened for whichever caller comes first, also by timers, and there is no filter for it.
        .EnablePhysicalOpenTracing(false);

    /// <summary>What a statement does by its first line; without such a line, its first word.</summary>
    public static string NameOf(string sql)
    {
        var text = sql.AsSpan().TrimStart();
        if (text.StartsWith(Comment, StringComparison.Ordinal))
        {
            text = text[Comment.Length..];
            var end = text.IndexOf('\n');
            return (end < 0 ? text : text[..end]).Trim().ToString();
        }

        var word = 0;
        while (word < text.Length && char.IsAsciiLetter(text[word]))
        {
            word++;
        }

        return word == 0 ? "statement" : text[..word].ToString();
    }

    // The name of the statement that has one: the others in the batch only support it.
    private static string NameOf(NpgsqlBatch batch)
    {
        foreach (var command in batch.BatchCommands)
        {
            if (command.CommandText.StartsWith(Comment, StringComparison.Ordinal))
            {
                return NameOf(command.CommandText);
            }
        }

        return batch.BatchCommands.Count == 0 ? "statement" : NameOf(batch.BatchCommands[0].CommandText);
    }

    private static bool IsPartOfATrace => Activity.Current is { IsAllDataRequested: true };

    // No SQL text: its literals could be a user's, and its structure is internal.
    private static void Describe(Activity span) => span.SetTag("db.query.text", null).SetTag("db.operation.name", span.DisplayName);
}
