using System.Globalization;
using CsCheck;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Queries;
using StatusUpdates.Data.Generations;

namespace StatusUpdates.Tests.Api;

public sealed class QueryFormatTests
{
    private static readonly Gen<DateTimeOffset> Times = Gen.Long[DateTime.MinValue.Ticks / 10_000, DateTime.MaxValue.Ticks / 10_000]
        .Select(ms => new DateTimeOffset(ms * 10_000, TimeSpan.Zero));

    [Fact]
    public void Every_time_that_this_API_shows_is_read_as_that_time() => Times.Sample(time =>
        IsoTime.TryParse(time.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture), out var read) && read.First == time);

    [Theory]
    [InlineData("2024-02-29", "2024-02-29T00:00:00.0000000", "2024-03-01T00:00:00.0000000")]
    [InlineData("2024-01-01T12:30", "2024-01-01T12:30:00.0000000", "2024-01-01T12:30:00.0010000")]
    [InlineData("2024-01-01T12:30:15Z", "2024-01-01T12:30:15.0000000", "2024-01-01T12:30:15.0010000")]
    [InlineData("2024-01-01T12:30:15.123456789Z", "2024-01-01T12:30:15.1230000", "2024-01-01T12:30:15.1240000")]
    [InlineData("2024-01-01T12:30:15,5", "2024-01-01T12:30:15.5000000", "2024-01-01T12:30:15.5010000")]
    [InlineData("2024-01-01T00:00:00+05:30", "2023-12-31T18:30:00.0000000", "2023-12-31T18:30:00.0010000")]
    [InlineData("2024-01-01T00:00:00 05:30", "2023-12-31T18:30:00.0000000", "2023-12-31T18:30:00.0010000")]
    [InlineData("2024-01-01T00:00:00-0830", "2024-01-01T08:30:00.0000000", "2024-01-01T08:30:00.0010000")]
    [InlineData("9999-12-31", "9999-12-31T00:00:00.0000000", "9999-12-31T23:59:59.9999999")]
    public void A_time_stands_for_the_span_that_it_names(string text, string first, string after)
    {
        Assert.True(IsoTime.TryParse(text, out var time));
        Assert.Equal(first, time.First.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff", CultureInfo.InvariantCulture));
        Assert.Equal(after, time.After.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff", CultureInfo.InvariantCulture));
    }

    [Fact]
    public void No_text_breaks_the_reading_of_times_or_cursors() => Gen.OneOf(
            Gen.String,
            Gen.Select(Gen.Char["0123456789-:TZ.+ "].Array[0, 30], characters => new string(characters)))
        .Sample(text => (!IsoTime.TryParse(text, out var time) || time.First < time.After)
            && (!ListCursors.TryDecode(text, out var cursor) || cursor.Id.Length > 0));

    [Fact]
    public void A_cursor_is_read_back_as_it_was_written() => Gen.Select(Times, Gen.Guid).Sample((time, id) =>
    {
        var cursor = new GenerationListCursor(time.AddMicroseconds(time.Ticks % 2 == 0 && time.Year < 9999 ? 7 : 0), $"gen-{id}");
        return ListCursors.TryDecode(ListCursors.Encode(cursor), out var read) && read == cursor;
    });
}
