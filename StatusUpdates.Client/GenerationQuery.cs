using System.Globalization;
using StatusUpdates.Client.Http;
using StatusUpdates.Messaging;

namespace StatusUpdates.Client;

/// <summary>Which generations to list. Immutable.</summary>
public sealed record GenerationQuery
{
    /// <summary>Only those with this status.</summary>
    public GenerationStatus? Status { get; init; }

    /// <summary>Only those of this type.</summary>
    public string? Type { get; init; }

    /// <summary>Only those created at or after this time.</summary>
    public DateTimeOffset? StartDate { get; init; }

    /// <summary>Only those created at or before this time.</summary>
    public DateTimeOffset? EndDate { get; init; }

    /// <summary>Page size: 1 to 100; the API's default is 50.</summary>
    public int? Limit { get; init; }

    /// <summary>How many to skip: 0 to 10,000. Not together with <see cref="Cursor"/>.</summary>
    public int? Offset { get; init; }

    /// <summary>The <see cref="GenerationPage.NextCursor"/> of the previous page.</summary>
    public string? Cursor { get; init; }

    internal void AddTo(QueryText query)
    {
        query.Add("status", Status?.ToWireName());
        query.Add("type", Type);
        query.Add("startDate", Text(StartDate));
        query.Add("endDate", Text(EndDate));
        query.Add("limit", Limit);
        query.Add("offset", Offset);
        query.Add("cursor", Cursor);
    }

    private static string? Text(DateTimeOffset? time) =>
        time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture);
}
