using System.Globalization;
using System.Text.Json;
using CsCheck;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Queries;
using StatusUpdates.Data.Generations;

namespace StatusUpdates.Tests.Api;

public sealed class QueryFormatTests
{
    private static readonly Gen<DateTimeOffset> Times = Gen.Long[DateTime.MinValue.Ticks / 10_000, DateTime.MaxValue.Ticks / 10_000]
        .Select(ms => new DateTimeOffset(ms * 10_000, TimeSpan.Zero));

    private static readonly JsonSerializerOptions Json = new() { Converters = { new OffsetTimeConverter() } };

    [Fact]
    public void Every_time_that_the_API_returns_is_parsed_as_the_same_time() => Times.Sample(time =>
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
    public void A_time_is_parsed_as_the_interval_that_its_precision_implies(string text, string first, string after)
    {
        Assert.True(IsoTime.TryParse(text, out var time));
        Assert.Equal(first, time.First.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff", CultureInfo.InvariantCulture));
        Assert.Equal(after, time.After.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff", CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("2024-01-01T12:30:15.999999999Z", "2024-01-01T12:30:15.9990000")]
    [InlineData("2024-01-01t12:30:15,5z", "2024-01-01T12:30:15.5000000")]
    [InlineData("2024-01-01T12:30+05:30", "2024-01-01T07:00:00.0000000")]
    public void A_time_in_a_body_is_truncated_to_milliseconds_like_one_in_a_query(string text, string time)
    {
        var read = JsonSerializer.Deserialize<DateTimeOffset>($"\"{text}\"", Json);

        Assert.Equal(time, read.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff", CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("a", 16_373)]
    [InlineData("ж", 8_186)]
    [InlineData("語", 5_457)]
    [InlineData("<", 16_373)]
    public void Options_are_measured_in_UTF_8(string letter, int most)
    {
        Assert.Null(Read(most + 1));
        Assert.NotNull(Read(most));

        string? Read(int count)
        {
            using var options = JsonDocument.Parse($$"""{"text":"{{string.Concat(Enumerable.Repeat(letter, count))}}"}""");
            return SubmittedOptions.Read(options.RootElement, new FieldErrors());
        }
    }

    [Fact]
    public void No_text_breaks_the_parsing_of_times_or_cursors() => Gen.OneOf(
            Gen.String,
            Gen.Select(Gen.Char["0123456789-:TZ.+ "].Array[0, 30], characters => new string(characters)))
        .Sample(text => (!IsoTime.TryParse(text, out var time) || time.First < time.After)
            && (!ListCursors.TryDecode(text, out var cursor) || cursor.Id.Length > 0));

    [Fact]
    public void A_cursor_is_decoded_as_it_was_encoded() => Gen.Select(Times, Gen.Guid).Sample((time, id) =>
    {
        var cursor = new GenerationListCursor(time.AddMicroseconds(time.Ticks % 2 == 0 && time.Year < 9999 ? 7 : 0), $"gen-{id}");
        return ListCursors.TryDecode(ListCursors.Encode(cursor), out var read) && read == cursor;
    });
}
