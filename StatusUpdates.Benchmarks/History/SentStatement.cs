using System.Data.Common;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Npgsql;

namespace StatusUpdates.Benchmarks.History;

/// <summary>A sent statement with its values, which can be executed again with EXPLAIN.</summary>
internal sealed record SentStatement(string Sql, IReadOnlyList<(string Type, string Literal)> Values)
{
    public static SentStatement Of(DbCommand command)
    {
        var sql = command.CommandText;
        var values = new List<(string, string)>();
        foreach (DbParameter parameter in command.Parameters)
        {
            values.Add(LiteralOf(parameter.Value));
            sql = Regex.Replace(sql, $@"@{Regex.Escape(parameter.ParameterName.TrimStart('@'))}\b", $"${values.Count}");
        }

        return new(sql, values);
    }

    /// <summary>Executes it with EXPLAIN as a prepared statement: Npgsql prepares frequent statements too.</summary>
    /// <param name="connection">A connection; its planner setting changes.</param>
    /// <param name="isGeneric">Whether to use the generic plan instead of a plan for these values.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<ExplainResult> ExplainAsync(NpgsqlConnection connection, bool isGeneric, CancellationToken cancellationToken)
    {
        var types = Values.Count == 0 ? "" : $" ({string.Join(", ", Values.Select(value => value.Type))})";
        var literals = Values.Count == 0 ? "" : $" ({string.Join(", ", Values.Select(value => value.Literal))})";
        await ExecuteAsync($"SET plan_cache_mode = force_{(isGeneric ? "generic" : "custom")}_plan");
        await ExecuteAsync($"PREPARE sent{types} AS {Sql}");
        try
        {
            await using var command = new NpgsqlCommand($"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE sent{literals}", connection);
            command.CommandTimeout = 0;
            return ExplainResult.Parse((string)(await command.ExecuteScalarAsync(cancellationToken))!);
        }
        finally
        {
            await ExecuteAsync("DEALLOCATE sent");
        }

        async Task ExecuteAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private static (string Type, string Literal) LiteralOf(object? value) => value switch
    {
        string text => ("text", $"'{text.Replace("'", "''", StringComparison.Ordinal)}'"),
        int number => ("int", number.ToString(CultureInfo.InvariantCulture)),
        DateTimeOffset time => ("timestamptz", $"'{time.ToUniversalTime():O}'"),
        DateTime time => ("timestamptz", $"'{time:O}'"),
        _ => throw new InvalidOperationException($"Unexpected value of type {value?.GetType().Name ?? "null"}."),
    };
}

/// <summary>The cost of one execution.</summary>
/// <param name="Buffers">Shared buffers that were read, from memory or not.</param>
/// <param name="Milliseconds">Execution time.</param>
/// <param name="Nodes">The node types of the plan.</param>
internal sealed record ExplainResult(long Buffers, double Milliseconds, IReadOnlyList<string> Nodes)
{
    public static ExplainResult Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement[0];
        var plan = root.GetProperty("Plan");
        var nodes = new List<string>();
        Collect(plan, nodes);
        return new(
            plan.GetProperty("Shared Hit Blocks").GetInt64() + plan.GetProperty("Shared Read Blocks").GetInt64(),
            root.GetProperty("Execution Time").GetDouble(),
            nodes);
    }

    private static void Collect(JsonElement plan, List<string> nodes)
    {
        nodes.Add(plan.GetProperty("Node Type").GetString()!);
        if (plan.TryGetProperty("Plans", out var children))
        {
            foreach (var child in children.EnumerateArray())
            {
                Collect(child, nodes);
            }
        }
    }
}
