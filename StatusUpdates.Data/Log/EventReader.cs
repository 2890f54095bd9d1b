using System.Text.Json;
using Npgsql;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>Turns rows into updates.</summary>
internal static class EventReader
{
    /// <summary>Reads <see cref="LogSql.EventColumns"/>, which begin at <paramref name="at"/>.</summary>
    public static StatusUpdate Read(NpgsqlDataReader reader, int at)
    {
        var seq = reader.GetInt64(at + 5);
        return new()
        {
            GenerationId = reader.GetString(at),
            UserId = reader.GetString(at + 1),
            Type = ParseType(reader.GetString(at + 2)),
            Status = ParseStatus(reader.GetString(at + 3)),
            Timestamp = reader.GetFieldValue<DateTimeOffset>(at + 4).ToUnixTimeMilliseconds(),
            Seq = seq,
            Cursor = CursorOf(seq, reader.GetGuid(at + 8)),
            TraceParent = reader.IsDBNull(at + 6) ? null : reader.GetString(at + 6),
            Metadata = reader.IsDBNull(at + 7) ? null : ParseMetadata(reader.GetString(at + 7)),
        };
    }

    /// <summary>The cursor behind an update.</summary>
    public static string CursorOf(long seq, Guid updateId) => new LogPosition(seq, LogPosition.CheckOf(updateId)).ToString();

    /// <summary>The cursor before the update <paramref name="seq"/>, whose check (an int, or NULL) is the column <paramref name="at"/>.</summary>
    public static string AfterOf(NpgsqlDataReader reader, int at, long seq) => new LogPosition(seq - 1, ReadCheck(reader, at)).ToString();

    /// <summary>
    /// Reads a log's bounds (oldest, last, the check of the last), and the check of what stands at <paramref name="cursor"/>: the first four columns.
    /// </summary>
    public static (LogBounds Bounds, uint? Check) ReadBounds(NpgsqlDataReader reader, long cursor)
    {
        var bounds = new LogBounds(reader.GetInt64(0), reader.GetInt64(1), ReadCheck(reader, 2));
        return (bounds, cursor == bounds.Last ? bounds.LastCheck : ReadCheck(reader, 3));
    }

    /// <summary>Reads a check, which the database keeps as an int; null where it is not known.</summary>
    public static uint? ReadCheck(NpgsqlDataReader reader, int at) => reader.IsDBNull(at) ? null : unchecked((uint)reader.GetInt32(at));

    public static GenerationStatus ParseStatus(string name) =>
        GenerationStatusNames.TryParse(name, out var status)
            ? status
            : throw new InvalidOperationException($"Unknown status in the database: {name}");

    public static GenerationType ParseType(string name) =>
        GenerationTypeNames.TryParse(name, out var type) ? type : throw new InvalidOperationException($"Unknown type in the database: {name}");

    public static string? EncodeMetadata(StatusMetadata? metadata) =>
        metadata is null ? null : JsonSerializer.Serialize(metadata, StatusJsonContext.Default.StatusMetadata);

    private static StatusMetadata? ParseMetadata(string json) =>
        JsonSerializer.Deserialize(json, StatusJsonContext.Default.StatusMetadata);
}
