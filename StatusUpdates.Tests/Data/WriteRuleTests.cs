using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Data;

/// <summary>Every statement that writes must go through <see cref="DatabaseWrites"/>; the first test shows why.</summary>
public sealed partial class WriteRuleTests(TestServers servers)
{
    private static readonly string[] Projects =
    [
        "Api", "Bot", "ChatLinks", "Client", "Data", "Egress", "Messaging", "ResultStore", "SampleProviders", "ServiceDefaults", "Webhooks", "Worker",
    ];

    // These files execute no data changes: they create databases and the schema, and take session locks.
    private static readonly string[] Exempt = ["DatabaseCreation.cs", "DatabaseMigrator.cs", "SessionLock.cs"];

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task A_write_rolled_back_after_its_rows_were_returned_is_not_reported_as_done()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await db.ExecuteAsync(
            """
            CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END';
            CREATE CONSTRAINT TRIGGER held AFTER INSERT ON generations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold();
            """,
            Token);
        await using var database = new StatusDatabase(
            db.ConnectionString + ";Command Timeout=1", new StatusDatabaseOptions { RetryFor = TimeSpan.Zero, LockTimeout = TimeSpan.FromMinutes(5) });
        await using var holder = await db.DataSource.OpenConnectionAsync(Token);
        await using var transaction = await holder.BeginTransactionAsync(Token);
        await using (var hold = holder.CreateCommand())
        {
            hold.CommandText = "SELECT pg_advisory_xact_lock(1)";
            await hold.ExecuteNonQueryAsync(Token);
        }

        // The rows arrive before the commit, which the client then stops waiting for.
        await Assert.ThrowsAnyAsync<Npgsql.NpgsqlException>(() => new GenerationCommands(database, db.CreateQueries()).SubmitAsync(
            new Submission { UserId = "u", Type = "sora", Task = "sora", Prompt = "p" }, Token));

        await transaction.RollbackAsync(Token);
        Assert.Equal(0L, await db.ScalarAsync<long>("SELECT count(*) FROM generations", Token));
    }

    [Fact]
    public void Statements_executed_directly_do_not_write()
    {
        var sources = Sources().ToList();
        var known = sources.SelectMany(source => Constants().Matches(source.Text))
            .GroupBy(match => match.Groups["name"].Value)
            .ToDictionary(group => group.Key, group => string.Concat(group.Select(match => match.Groups["text"].Value)));
        var direct = 0;
        foreach (var (file, text) in sources.Where(source => !Exempt.Contains(source.File) && source.File != "DatabaseWrites.cs"))
        {
            foreach (Match created in Created().Matches(text))
            {
                var arguments = Arguments(text, created.Index + created.Length);
                if (created.Value.StartsWith("new", StringComparison.Ordinal) && arguments.Count < (created.Value.Contains("Batch", StringComparison.Ordinal) ? 1 : 2))
                {
                    // Has no connection; only DatabaseWrites gives it one.
                    continue;
                }

                direct++;
                var isBatch = created.Value.Contains("Batch", StringComparison.Ordinal);
                var sql = isBatch ? string.Join(' ', BatchCommands().Matches(text).Select(match => match.Value)) : arguments.FirstOrDefault("");
                Assert.True(Resolve(sql, known, 0) is { Length: > 0 } resolved && !Writes().IsMatch(resolved), $"{file}: {sql} must go through DatabaseWrites.");
            }

            Assert.False(Connects().IsMatch(text), $"{file}: only DatabaseWrites may set the connection of a statement.");
            Assert.False(ByEntityFramework().IsMatch(text), $"{file}: EF Core may only read; writes are SQL that goes through DatabaseWrites.");
        }

        Assert.True(direct > 10, "Too few statements were found: the test no longer understands the sources.");
    }

    [Theory]
    [InlineData("DELETE FROM tickets", true)]
    [InlineData("WITH a AS (INSERT INTO t VALUES (1) RETURNING x) SELECT x FROM a", true)]
    [InlineData("UPDATE generations g SET\n x = 1", true)]
    [InlineData("SELECT id FROM generations FOR NO KEY UPDATE", true)]
    [InlineData("SELECT updated_at FROM generations WHERE status = 'deleted'", false)]
    public void Statements_that_write_are_distinguished_from_those_that_read(string sql, bool writes) => Assert.Equal(writes, Writes().IsMatch(sql));

    // The text of the argument and, recursively, of the constants that it names.
    private static string Resolve(string sql, Dictionary<string, string> known, int depth) => depth > 5 ? sql : string.Join(
        ' ', Names().Matches(sql).Select(name => known.GetValueOrDefault(name.Value)).OfType<string>().Select(text => Resolve(text, known, depth + 1)).Prepend(
            sql.Contains('"', StringComparison.Ordinal) || depth > 0 ? sql : "")).Trim();

    private static List<string> Arguments(string text, int start)
    {
        var arguments = new List<string>();
        var (depth, from, isText) = (0, start, false);
        for (var i = start; i < text.Length; i++)
        {
            if (text[i] == '"')
            {
                isText = !isText;
            }
            else if (!isText && text[i] is '(' or '[' or '{')
            {
                depth++;
            }
            else if (!isText && (text[i] is ')' or ']' or '}' || (text[i] == ',' && depth == 0)))
            {
                if (depth == 0)
                {
                    arguments.Add(text[from..i].Trim());
                    from = i + 1;
                    if (text[i] == ')')
                    {
                        break;
                    }
                }
                else
                {
                    depth--;
                }
            }
        }

        arguments.RemoveAll(argument => argument.Length == 0);
        return arguments;
    }

    private static IEnumerable<(string File, string Text)> Sources([CallerFilePath] string thisFile = "")
    {
        var root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", ".."));
        return from project in Projects
               from path in Directory.EnumerateFiles(Path.Combine(root, $"StatusUpdates.{project}"), "*.cs", SearchOption.AllDirectories)
               where !path.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
                   && !path.Contains($"{Path.DirectorySeparatorChar}Migrations{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
               select (Path.GetFileName(path), File.ReadAllText(path));
    }

    [GeneratedRegex("""const string (?<name>\w+) =\s*(?<text>\$?"{3}.*?"{3}|\$?"[^\n]*?");""", RegexOptions.Singleline)]
    private static partial Regex Constants();

    [GeneratedRegex(@"\.CreateCommand\(|\.CreateBatch\(|new NpgsqlCommand\(|new NpgsqlBatch\(")]
    private static partial Regex Created();

    [GeneratedRegex(@"(?<=Add\(\s*batch,\s*)\w+\.\w+|(?<=new NpgsqlBatchCommand\()[^)]+")]
    private static partial Regex BatchCommands();

    [GeneratedRegex(@"\b[A-Z]\w*\b")]
    private static partial Regex Names();

    [GeneratedRegex(@"(command|batch|statement)\w*\.Connection = ", RegexOptions.IgnoreCase)]
    private static partial Regex Connects();

    [GeneratedRegex(@"\.(SaveChanges|ExecuteUpdate|ExecuteDelete|ExecuteSql)\w*\(")]
    private static partial Regex ByEntityFramework();

    [GeneratedRegex(
        @"\bINSERT\s+INTO\b|\bDELETE\s+FROM\b|\bUPDATE\s+\w+(\s+\w+)?\s+SET\b|\bMERGE\s+INTO\b|\bTRUNCATE\b|\bFOR\s+(NO\s+KEY\s+)?UPDATE\b|\bFOR\s+(KEY\s+)?SHARE\b",
        RegexOptions.IgnoreCase)]
    private static partial Regex Writes();
}
