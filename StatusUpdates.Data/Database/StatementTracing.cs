using System.Diagnostics;
using Npgsql;

namespace StatusUpdates.Data.Database;

/// <summary>
/// Which statements Npgsql makes spans of, and what they say. Only what is part of a request or a job has one: a timer's question is no
/// trace, and what such a question found is recorded by <see cref="StatementSpans"/>. A statement says in its first line what it does
/// (<c>-- read log</c>): that is its span's name and operation, and stands in <c>pg_stat_activity</c> too.
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

        // A connection is opened for whoever comes first, and by timers: there is no filter for it.
        .EnablePhysicalOpenTracing(false);

    /// <summary>What a statement does; of one that does not say, its first word.</summary>
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

    // Of several together the one that says something: the others are there for its sake.
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

    // No SQL: its shape is ours to know, and its literals could be a user's.
    private static void Describe(Activity span) => span.SetTag("db.query.text", null).SetTag("db.operation.name", span.DisplayName);
}
