using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using CsCheck;
using StatusUpdates.ResultStore;
using StatusUpdates.Tests.ResultStore;

namespace StatusUpdates.Tests.Api;

/// <summary>Ranges of results (RFC 9110, section 14), over HTTP: of one that is in the database, and of one that is in the content store.</summary>
public sealed partial class ResultRangeTests(SharedApi shared) : IClassFixture<SharedApi>
{
    private const int InRow = 100_000;
    private const int Stored = (int)StoredContent.WindowSize + 70_000;

    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData(InRow, 600)]
    [InlineData(Stored, 150)]
    public async Task Any_range_header_gets_what_the_RFC_says(int length, int iterations)
    {
        var api = await shared.ApiAsync();
        var id = await api.Database.Results.SaveAsync("gen-1", "video/mp4", new PatternStream(length), cancellationToken: Token);
        var number = Gen.Frequency(
            (4, Gen.Int[0, length]), (2, Gen.Int[length - 3, length + 3]), (1, Gen.Int[0, 2]), (1, Gen.OneOfConst(int.MaxValue, 65_535, 65_536, 65_537)))
            .Select(n => n.ToString(CultureInfo.InvariantCulture));
        var spec = Gen.Frequency(
            (6, Gen.Select(number, number, (first, last) => $"{first}-{last}")), (2, number.Select(first => $"{first}-")), (2, number.Select(last => $"-{last}")),
            (1, Gen.OneOfConst("-", "", "a-b", "1", "1-2-3", "--1", "1- 2x")));
        var header = Gen.Frequency(
            (8, spec.Select(one => $"bytes={one}")),
            (1, Gen.Select(spec, spec, (a, b) => $"bytes={a},{b}")),
            (1, Gen.Select(Gen.OneOfConst("lines=", "bytes ", "", "BYTES="), spec, (unit, one) => unit + one)));
        var condition = Gen.OneOfConst<string?>(null, null, $"\"{id}\"", "\"another\"", $"W/\"{id}\"");

        await Gen.Select(header, condition).SampleAsync(
            async (range, ifRange) =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, $"/results/{id}");
                request.Headers.TryAddWithoutValidation("Range", range);
                if (ifRange is not null)
                {
                    request.Headers.TryAddWithoutValidation("If-Range", ifRange);
                }

                using var response = await api.Anonymous.SendAsync(request, Token);
                var (status, first, count) = Expected(range, ifRange is null || ifRange == $"\"{id}\"", length);
                Assert.True(status == response.StatusCode, $"{range}, If-Range {ifRange}: {response.StatusCode} instead of {status}");
                var expectedRange = status switch
                {
                    HttpStatusCode.PartialContent => $"bytes {first}-{first + count - 1}/{length}",
                    HttpStatusCode.RequestedRangeNotSatisfiable => $"bytes */{length}",
                    _ => null,
                };
                Assert.Equal(expectedRange, response.Content.Headers.ContentRange?.ToString());
                if (status != HttpStatusCode.RequestedRangeNotSatisfiable)
                {
                    Assert.Equal(count, response.Content.Headers.ContentLength);
                    Assert.Equal($"\"{id}\"", response.Headers.ETag?.ToString());
                    var sent = await response.Content.ReadAsByteArrayAsync(Token);
                    Assert.True(PatternStream.Bytes(first, count).AsSpan().SequenceEqual(sent), range);
                }
            },
            iter: iterations,
            threads: 2);
    }

    [Theory]
    [InlineData(InRow)]
    [InlineData(Stored)]
    public async Task Ranges_are_offered_and_ignored_for_HEAD(int length)
    {
        var api = await shared.ApiAsync();
        var id = await api.Database.Results.SaveAsync("gen-1", "video/mp4", new PatternStream(length), cancellationToken: Token);
        using var request = new HttpRequestMessage(HttpMethod.Head, $"/results/{id}");
        request.Headers.Range = new(5, 10);

        using var response = await api.Anonymous.SendAsync(request, Token);

        Assert.Equal((HttpStatusCode.OK, (long?)length), (response.StatusCode, response.Content.Headers.ContentLength));
        Assert.Equal(["bytes"], response.Headers.AcceptRanges);
    }

    [Fact]
    public async Task A_download_that_broke_is_continued_where_it_broke()
    {
        var api = await shared.ApiAsync();
        var id = await api.Database.Results.SaveAsync("gen-1", "video/mp4", new PatternStream(Stored), cancellationToken: Token);
        var bytes = new byte[Stored];
        using (var first = await api.Anonymous.GetAsync($"/results/{id}", HttpCompletionOption.ResponseHeadersRead, Token))
        {
            await using var content = await first.Content.ReadAsStreamAsync(Token);
            await content.ReadExactlyAsync(bytes.AsMemory(0, 3_000_000), Token);
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, $"/results/{id}");
        request.Headers.Range = new(3_000_000, null);
        request.Headers.IfRange = new($"\"{id}\"");
        using var rest = await api.Anonymous.SendAsync(request, Token);
        (await rest.Content.ReadAsByteArrayAsync(Token)).CopyTo(bytes, 3_000_000);

        Assert.Equal(PatternStream.Bytes(0, Stored), bytes);
    }

    /// <summary>
    /// The status, and which bytes are sent. What is not a valid range, another unit, several ranges, and a failed If-Range get the whole content
    /// (sections 14.2 and 13.1.5).
    /// </summary>
    private static (HttpStatusCode Status, long First, long Count) Expected(string header, bool condition, long length)
    {
        var whole = (HttpStatusCode.OK, 0L, length);
        if (!condition || OneRange().Match(header) is not { Success: true } match)
        {
            return whole;
        }

        long? first = match.Groups[1].Length > 0 ? long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) : null;
        long? last = match.Groups[2].Length > 0 ? long.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture) : null;
        return (first, last) switch
        {
            (null, null) => whole,
            ({ } from, { } to) when to < from => whole,
            ({ } from, _) when from >= length => (HttpStatusCode.RequestedRangeNotSatisfiable, 0, 0),
            ({ } from, _) => (HttpStatusCode.PartialContent, from, Math.Min(last ?? (length - 1), length - 1) - from + 1),
            (null, 0) => (HttpStatusCode.RequestedRangeNotSatisfiable, 0, 0),
            (null, { } suffix) => (HttpStatusCode.PartialContent, Math.Max(0, length - suffix), Math.Min(suffix, length)),
        };
    }

    [GeneratedRegex("^(?i:bytes)=([0-9]*)-([0-9]*)$")]
    private static partial Regex OneRange();
}
