using Npgsql;

namespace StatusUpdates.Benchmarks.History;

/// <summary>
/// Large numbers of generations, inserted by one statement before the indexes are created: up to 90 days old, about a tenth of them not completed.
/// One user has all but 1,000, which belong to another user and are spread evenly. Failed chats are rare and old.
/// </summary>
internal static class HistoryData
{
    public const string HeavyUser = "heavy";
    public const string LightUser = "light";

    /// <summary>The number of the light user's generations.</summary>
    public const int LightCount = 1000;

    /// <summary>Replaces all generations.</summary>
    /// <param name="dataSource">The database.</param>
    /// <param name="count">How many; a multiple of 1,000, at least 2,000.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task FillAsync(NpgsqlDataSource dataSource, int count, CancellationToken cancellationToken)
    {
        var every = count / LightCount;
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await ExecuteAsync("SET statement_timeout = 0; SET lock_timeout = 0; SET maintenance_work_mem = '256MB'");
        await ExecuteAsync("TRUNCATE generations, generation_counts");
        var indexes = new List<string>();
        await using (var command = new NpgsqlCommand(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'generations' AND indexname NOT LIKE 'pk%'", connection))
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                indexes.Add($"DROP INDEX {reader.GetString(0)}");
                indexes.Add(reader.GetString(1));
            }
        }

        foreach (var drop in indexes.Where((_, i) => i % 2 == 0))
        {
            await ExecuteAsync(drop);
        }

        await ExecuteAsync(
            $"""
            INSERT INTO generations (id, user_id, type, task, status, seq, first_seq, prompt, result_urls, tokens_used, progress, created_at,
                                     updated_at, started_at, completed_at, run_at, attempt, failures, last_update_id)
            SELECT 'gen-' || lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '-7' || lpad(to_hex(i), 8, '0') || '-' || substr(md5(i::text), 1, 11),
                   CASE WHEN i % {every} = i / {every} % {every} THEN '{LightUser}' ELSE '{HeavyUser}' END,
                   type, CASE type WHEN 'chat' THEN 'chat_processing' ELSE type END, status, i * 3, i * 3 - 2,
                   'Product card: clean, on white, number ' || i,
                   CASE WHEN status = 'completed' THEN ARRAY['https://example.com/results/' || md5(i::text)] END, 10, 100,
                   at, at + interval '2 seconds', at, CASE WHEN is_terminal THEN at + interval '2 seconds' END, at, 1, 0, gen_random_uuid()
            FROM (
                SELECT i, at, type, status, status IN ('completed', 'failed', 'canceled') AS is_terminal
                FROM generate_series(1, {count}) i
                CROSS JOIN LATERAL (SELECT now() - interval '90 days' + interval '90 days' * i / {count} AS at,
                    (ARRAY['product_card', 'product_card', 'product_card', 'sora', 'sora', 'chat'])[1 + i % 6] AS type) t
                CROSS JOIN LATERAL (SELECT CASE
                    WHEN type = 'chat' AND i <= 600 THEN 'failed'
                    WHEN i % 20 = 0 AND type <> 'chat' THEN 'failed'
                    WHEN i % 20 = 1 THEN 'canceled'
                    WHEN i % 100 = 2 THEN 'pending'
                    WHEN i % 100 = 3 THEN 'processing'
                    ELSE 'completed' END AS status) s
                ORDER BY i) g
            """);
        await ExecuteAsync(
            """
            INSERT INTO generation_counts (user_id, type, status, count)
            SELECT user_id, type, status, count(*) FROM generations GROUP BY user_id, type, status
            """);
        foreach (var create in indexes.Where((_, i) => i % 2 == 1))
        {
            await ExecuteAsync(create);
        }

        await ExecuteAsync("VACUUM (ANALYZE) generations");
        await ExecuteAsync("VACUUM (ANALYZE) generation_counts");
        await ExecuteAsync("RESET statement_timeout; RESET lock_timeout; RESET maintenance_work_mem");

        async Task ExecuteAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }
}
