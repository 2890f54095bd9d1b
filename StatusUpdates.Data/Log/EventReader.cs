using System.Text.Json;
using Npgsql;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>Turns rows into updates: lists of columns, each with the method that reads it.</summary>
public static class EventReader
{
    /// <summary>The columns of an entry <c>e</c>: see <see cref="Read"/>.</summary>
    public const string Columns = "e.generation_id, e.user_id, e.type, e.status, e.occurred_at, e.seq, e.traceparent, e.metadata::text, e.update_id";

    /// <summary>How many <see cref="Columns"/> there are.</summary>
    public const int Count = 9;

    /// <summary>The columns of an entry <c>e</c> that <see cref="LogSql.Tail"/> has numbered: see <see cref="ReadNumbered"/>.</summary>
    internal const string NumberedColumns = $"{Columns}, e.after_check";

    /// <summary>How many <see cref="NumberedColumns"/> there are.</summary>
    internal const int NumberedCount = Count + 1;

    /// <summary>
    /// The bounds of the log <c>s</c>, and the check of its entry at the cursor <c>c.seq</c> (<see cref="LogSql.CursorCheck"/>): see
    /// <see cref="ReadBounds"/>.
    /// </summary>
    public const string BoundsColumns = $"s.oldest_seq, s.last_seq, s.last_check, {LogSql.CursorCheck}";

    /// <summary>How many <see cref="BoundsColumns"/> there are.</summary>
    public const int BoundsCount = 4;

    /// <summary>Reads <see cref="Columns"/>, starting at the column <paramref name="at"/>.</summary>
    public static StatusUpdate Read(NpgsqlDataReader reader, int at)
    {
        var seq = reader.GetInt64(at + 5);
        return new()
        {
            GenerationId = reader.GetString(at),
            UserId = reader.GetString(at + 1),
            Type = reader.GetString(at + 2),
            Status = GenerationStatusNames.Parse(reader.GetString(at + 3)),
            Timestamp = reader.GetFieldValue<DateTimeOffset>(at + 4).ToUnixTimeMilliseconds(),
            Seq = seq,
            Cursor = CursorOf(seq, ReadUpdateId(reader, at)),
            TraceParent = reader.IsDBNull(at + 6) ? null : reader.GetString(at + 6),
            Metadata = reader.IsDBNull(at + 7) ? null : JsonSerializer.Deserialize(reader.GetString(at + 7), StatusJsonContext.Default.StatusMetadata),
        };
    }

    /// <summary>Reads the update's id from the same columns.</summary>
    public static Guid ReadUpdateId(NpgsqlDataReader reader, int at) => reader.GetGuid(at + 8);

    /// <summary>Reads <see cref="NumberedColumns"/>, starting at the column <paramref name="at"/>.</summary>
    internal static StatusUpdate ReadNumbered(NpgsqlDataReader reader, int at)
    {
        var update = Read(reader, at);
        return update with { After = AfterOf(reader, at + Count, update.Seq!.Value) };
    }

    /// <summary>The cursor after an update.</summary>
    internal static string CursorOf(long seq, Guid updateId) => new LogPosition(seq, LogPosition.CheckOf(updateId)).ToString();

    /// <summary>The cursor before the update <paramref name="seq"/>, whose check (an int, or NULL) is in the column <paramref name="at"/>.</summary>
    internal static string AfterOf(NpgsqlDataReader reader, int at, long seq) => new LogPosition(seq - 1, ReadCheck(reader, at)).ToString();

    /// <summary>Reads <see cref="BoundsColumns"/>, the first columns, for this cursor.</summary>
    public static (LogBounds Bounds, uint? Check) ReadBounds(NpgsqlDataReader reader, long cursor)
    {
        var bounds = new LogBounds(reader.GetInt64(0), reader.GetInt64(1), ReadCheck(reader, 2));
        return (bounds, cursor == bounds.Last ? bounds.LastCheck : ReadCheck(reader, 3));
    }

    /// <summary>Reads a check, which is stored as an int; null if it is unknown.</summary>
    internal static uint? ReadCheck(NpgsqlDataReader reader, int at) => reader.IsDBNull(at) ? null : unchecked((uint)reader.GetInt32(at));
}
