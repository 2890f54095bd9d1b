using System.Text.Json;
using Npgsql;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Log;

/// <summary>Turns rows into updates.</summary>
internal static class EventReader
{
    /// <summary>Reads <see cref="LogSql.EventColumns"/>, which begin at <paramref name="at"/>.</summary>
    public static StatusUpdate Read(NpgsqlDataReader reader, int at) => new()
    {
        GenerationId = reader.GetString(at),
        UserId = reader.GetString(at + 1),
        Type = ParseType(reader.GetString(at + 2)),
        Status = ParseStatus(reader.GetString(at + 3)),
        Timestamp = reader.GetFieldValue<DateTimeOffset>(at + 4).ToUnixTimeMilliseconds(),
        Seq = reader.GetInt64(at + 5),
        TraceParent = reader.IsDBNull(at + 6) ? null : reader.GetString(at + 6),
        Metadata = reader.IsDBNull(at + 7) ? null : ParseMetadata(reader.GetString(at + 7)),
    };

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
