using Microsoft.Extensions.Logging.Abstractions;
using StatusUpdates.Data.Schema;
using StatusUpdates.ResultStore;
using StatusUpdates.ResultStore.Contents;

namespace StatusUpdates.Tests.ResultStore;

public sealed class GenerationResultStoreTests(TestServers servers)
{
    private const int Inline = GenerationResult.MaxInlineBytes;

    private static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, true)]
    [InlineData(Inline, true)]
    [InlineData(Inline + 1, false)]
    [InlineData((5 * Inline) + 3, false)]
    public async Task Small_contents_are_in_the_row_and_large_ones_in_the_store(int length, bool isInRow)
    {
        await using var db = await servers.CreateDatabaseAsync(Token);

        var id = await db.Results.SaveAsync("gen-1", "video/mp4", new PatternStream(length), cancellationToken: Token);

        Assert.Equal(new ResultDescription(id, "video/mp4", length, isInRow), await db.Results.DescribeAsync(id, Token));
        Assert.Equal(PatternStream.Bytes(0, length), (await db.Results.FindAsync(id, Token))!.Bytes);
        Assert.Equal(isInRow ? [] : [id], Files(db));
        Assert.Equal(0L, await db.ScalarAsync<long>("SELECT count(*) FROM content_removals", Token));
    }

    [Fact]
    public async Task A_content_that_is_too_large_is_refused_while_it_is_read_and_leaves_nothing_to_read()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var store = db.CreateResults(Folder(db), new ResultsOptions { MaxBytes = 2_000_000 });
        var exact = await store.SaveAsync("gen-1", "video/mp4", new PatternStream(2_000_000), cancellationToken: Token);
        var endless = new PatternStream(long.MaxValue);

        await Assert.ThrowsAsync<ContentTooLargeException>(() => store.SaveAsync("gen-1", "video/mp4", endless, cancellationToken: Token));

        Assert.InRange(endless.Position, 2_000_001, 3_000_000);
        Assert.Equal([exact], Files(db));
        Assert.Equal(1L, await db.ScalarAsync<long>("SELECT count(*) FROM generation_results", Token));
    }

    [Fact]
    public async Task A_process_that_dies_between_content_and_row_leaves_a_content_that_is_removed_a_day_later()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var dying = db.CreateResults(new Dying(Folder(db)));
        await Assert.ThrowsAsync<DeathException>(() => dying.SaveAsync("gen-1", "video/mp4", new PatternStream(400_000), cancellationToken: Token));
        var kept = await db.Results.SaveAsync("gen-1", "video/mp4", new PatternStream(400_000), cancellationToken: Token);
        var orphan = Assert.Single(Files(db), file => file != kept);
        Assert.Null(await db.Results.DescribeAsync(orphan, Token));
        var removals = Removals(db, Folder(db));

        Assert.Equal(0, (await removals.RemoveAsync(RemovalPosition.Start, 10, Token)).Removed);
        Assert.Equal(2, Files(db).Count);
        Assert.True(await db.ScalarAsync<bool>("SELECT due_at BETWEEN now() + interval '23 hours' AND now() + interval '1 day' FROM content_removals", Token));

        await db.ExecuteAsync("UPDATE content_removals SET due_at = due_at - interval '25 hours'", Token);
        Assert.Equal(1, (await removals.RemoveAsync(RemovalPosition.Start, 10, Token)).Removed);
        Assert.Equal([kept], Files(db));
        Assert.Equal(0L, await db.ScalarAsync<long>("SELECT count(*) FROM content_removals", Token));
    }

    [Fact]
    public async Task An_upload_that_ends_when_its_content_may_be_removed_is_refused_so_no_row_is_without_its_content()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var slow = db.CreateResults(new Paused(Folder(db), () => db.ExecuteAsync("UPDATE content_removals SET due_at = now() + interval '59 minutes'", Token)));

        await Assert.ThrowsAsync<ContentStoreException>(() => slow.SaveAsync("gen-1", "video/mp4", new PatternStream(400_000), cancellationToken: Token));

        Assert.Equal(0L, await db.ScalarAsync<long>("SELECT count(*) FROM generation_results", Token));
        Assert.Empty(Files(db));
    }

    [Fact]
    public async Task Statements_are_repeated_without_reading_the_content_again()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var content = new PatternStream(400_000);

        // Each is executed twice, as if the answer to the first had been lost.
        var id = await db.Results.SaveAsync(
            "gen-1",
            "video/mp4",
            content,
            async statement =>
            {
                await statement();
                return await statement();
            },
            Token);

        Assert.Equal(400_000, content.Position);
        Assert.Equal(PatternStream.Bytes(0, 400_000), (await db.Results.FindAsync(id, Token))!.Bytes);
        Assert.Equal(0L, await db.ScalarAsync<long>("SELECT count(*) FROM content_removals", Token));
        Assert.Equal(1L, await db.ScalarAsync<long>("SELECT count(*) FROM generation_results", Token));
    }

    [Fact]
    public async Task A_content_that_cannot_be_removed_stays_due_and_delays_no_other()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var ids = new List<string>();
        for (var i = 0; i < 7; i++)
        {
            ids.Add(await db.Results.SaveAsync("gen-1", "video/mp4", new PatternStream(300_000), cancellationToken: Token));
        }

        await db.ExecuteAsync(
            """
            WITH gone AS (DELETE FROM generation_results RETURNING id)
            INSERT INTO content_removals SELECT id, now() - interval '1 minute' FROM gone
            """,
            Token);
        var stubborn = ids.Order(StringComparer.Ordinal).ElementAt(1);
        var failing = Removals(db, new Stubborn(Folder(db), stubborn));

        var (removed, failed, position) = (0, 0, RemovalPosition.Start);
        RemovedContents step;
        do
        {
            step = await failing.RemoveAsync(position, 3, Token);
            (removed, failed, position) = (removed + step.Removed, failed + step.Failed, step.Last);
        }
        while (!step.IsLast);

        Assert.Equal((6, 1), (removed, failed));
        Assert.Equal([stubborn], Files(db));
        Assert.Equal(stubborn, await db.ScalarAsync<string>("SELECT id FROM content_removals", Token));

        Assert.Equal(1, (await Removals(db, Folder(db)).RemoveAsync(RemovalPosition.Start, 3, Token)).Removed);
        Assert.Empty(Files(db));
        Assert.Equal(0L, await db.ScalarAsync<long>("SELECT count(*) FROM content_removals", Token));
    }

    [Fact]
    public async Task While_a_store_is_away_removal_stops_after_one_batch()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        await db.ExecuteAsync("INSERT INTO content_removals SELECT md5(n::text), now() - interval '1 minute' FROM generate_series(1, 10) n", Token);
        var away = new FolderContentStore(Path.Combine(db.ResultsFolder, "not-mounted"), mayCreate: false, writes: true);

        var step = await Removals(db, away).RemoveAsync(RemovalPosition.Start, 3, Token);

        Assert.Equal((0, 3, true), (step.Removed, step.Failed, step.IsLast));
        Assert.Equal(10L, await db.ScalarAsync<long>("SELECT count(*) FROM content_removals", Token));
    }

    [Fact]
    public async Task A_window_that_breaks_is_read_on_where_it_broke_and_a_content_that_is_gone_is_said_to_be()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var length = StoredContent.WindowSize + 100_000;
        var id = await db.Results.SaveAsync("gen-1", "video/mp4", new PatternStream(length), cancellationToken: Token);
        var breaking = new Breaking(Folder(db));
        var store = db.CreateResults(breaking);

        Assert.Equal(PatternStream.Bytes(0, length), (await store.FindAsync(id, Token))!.Bytes);
        Assert.InRange(breaking.Opened, 4, 1000);

        breaking.IsAway = true;
        await Assert.ThrowsAsync<ContentStoreException>(() => store.FindAsync(id, Token));
        File.Delete(Path.Combine(db.ResultsFolder, id[..2], id));
        var missing = await Assert.ThrowsAsync<ContentMissingException>(() => db.Results.FindAsync(id, Token));
        Assert.Contains(id, missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_content_that_is_shorter_than_its_row_says_is_not_passed_off_as_whole()
    {
        await using var db = await servers.CreateDatabaseAsync(Token);
        var id = await db.Results.SaveAsync("gen-1", "video/mp4", new PatternStream(400_000), cancellationToken: Token);
        await File.WriteAllBytesAsync(Path.Combine(db.ResultsFolder, id[..2], id), PatternStream.Bytes(0, 399_999), Token);

        var failure = await Assert.ThrowsAsync<ContentStoreException>(() => db.Results.FindAsync(id, Token));

        Assert.Equal($"The stored content of the result {id} ends at 399999 of 400000 bytes.", failure.Message);
    }

    internal static ContentRemovals Removals(TestDatabase db, IContentStore contents) => new(db.Database, contents, NullLogger<ContentRemovals>.Instance);

    internal static FolderContentStore Folder(TestDatabase db) => new(db.ResultsFolder, mayCreate: false, writes: true);

    internal static IReadOnlyList<string> Files(TestDatabase db) =>
        [.. Directory.GetFiles(db.ResultsFolder, "*", SearchOption.AllDirectories).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];

    private sealed class DeathException : Exception;

    private abstract class Wrapped(IContentStore inner) : IContentStore
    {
        public string Kind => inner.Kind;

        public Task CheckAsync(CancellationToken cancellationToken) => inner.CheckAsync(cancellationToken);

        public virtual Task WriteAsync(string id, Stream content, CancellationToken cancellationToken) => inner.WriteAsync(id, content, cancellationToken);

        public virtual Task<Stream?> OpenAsync(string id, long offset, long count, CancellationToken cancellationToken) =>
            inner.OpenAsync(id, offset, count, cancellationToken);

        public virtual Task DeleteAsync(string id, CancellationToken cancellationToken) => inner.DeleteAsync(id, cancellationToken);
    }

    private sealed class Dying(IContentStore inner) : Wrapped(inner)
    {
        public override async Task WriteAsync(string id, Stream content, CancellationToken cancellationToken)
        {
            await base.WriteAsync(id, content, cancellationToken);
            throw new DeathException();
        }
    }

    private sealed class Paused(IContentStore inner, Func<Task> pause) : Wrapped(inner)
    {
        public override async Task WriteAsync(string id, Stream content, CancellationToken cancellationToken)
        {
            await base.WriteAsync(id, content, cancellationToken);
            await pause();
        }
    }

    private sealed class Stubborn(IContentStore inner, string stubborn) : Wrapped(inner)
    {
        public override Task DeleteAsync(string id, CancellationToken cancellationToken) =>
            id == stubborn ? throw new ContentStoreException("It is held by somebody.") : base.DeleteAsync(id, cancellationToken);
    }

    // Streams break after 3 MiB, and every second one cannot be opened.
    private sealed class Breaking(IContentStore inner) : Wrapped(inner)
    {
        private int _opened;

        public int Opened => _opened;

        public bool IsAway { get; set; }

        public override async Task<Stream?> OpenAsync(string id, long offset, long count, CancellationToken cancellationToken) =>
            IsAway || Interlocked.Increment(ref _opened) % 2 == 0
                ? throw new ContentStoreException("The store does not answer.")
                : new Limited((await base.OpenAsync(id, offset, count, cancellationToken))!);

        private sealed class Limited(Stream inner) : Stream
        {
            private int _left = 3 * 1024 * 1024;

            public override bool CanRead => true;

            public override bool CanSeek => false;

            public override bool CanWrite => false;

            public override long Length => inner.Length;

            public override long Position { get; set; }

            public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
            {
                var read = await inner.ReadAsync(buffer[..Math.Min(buffer.Length, _left)], cancellationToken);
                _left -= read;
                return _left > 0 ? read : throw new IOException("The connection was reset.");
            }

            public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

            public override void Flush()
            {
            }

            public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

            public override void SetLength(long value) => throw new NotSupportedException();

            public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

            protected override void Dispose(bool disposing)
            {
                if (disposing)
                {
                    inner.Dispose();
                }

                base.Dispose(disposing);
            }
        }
    }
}
