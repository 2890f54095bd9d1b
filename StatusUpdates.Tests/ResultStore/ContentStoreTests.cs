using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using StatusUpdates.ResultStore;
using StatusUpdates.ResultStore.Contents;

namespace StatusUpdates.Tests.ResultStore;

/// <summary>What both kinds of stores promise.</summary>
public abstract class ContentStoreTests
{
    private const int Part = S3ContentStore.PartSize;

    protected static CancellationToken Token => TestTime.Token;

    [Theory]
    [InlineData(1)]
    [InlineData(300_000)]
    [InlineData(Part - 1)]
    [InlineData(Part)]
    [InlineData(Part + 1)]
    [InlineData((2 * Part) + 12_345)]
    public async Task A_content_is_read_as_it_was_written_and_is_gone_after_its_removal(long length)
    {
        await using var scene = await CreateAsync();
        var id = NewId();
        var content = new PatternStream(length);

        await scene.Store.WriteAsync(id, content, Token);

        Assert.InRange(content.LargestRequest, 1, Part);
        Assert.Equal(PatternStream.Bytes(0, length), await ReadAsync(scene.Store, id, 0, length));
        await scene.Store.DeleteAsync(id, Token);
        Assert.Null(await scene.Store.OpenAsync(id, 0, 1, Token));
        await scene.Store.DeleteAsync(id, Token);
    }

    [Fact]
    public async Task Every_part_of_a_content_can_be_read_alone()
    {
        const int Length = Part + 1000;
        await using var scene = await CreateAsync();
        var id = NewId();
        await scene.Store.WriteAsync(id, new PatternStream(Length), Token);

        var parts = from offset in Gen.Frequency((3, Gen.Int[0, Length - 1]), (1, Gen.Int[Part - 2, Part + 2]), (1, Gen.Const(Length - 1)))
                    from count in Gen.Int[1, Math.Min(Length - offset, 100_000)]
                    select (offset, count);
        await parts.SampleAsync(
            async part => Assert.Equal(
                PatternStream.Bytes(part.offset, part.count), await ReadAsync(scene.Store, id, part.offset, part.count)),
            iter: 60,
            threads: 4);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(400_000)]
    [InlineData(Part + 5)]
    [InlineData(2 * Part)]
    public async Task A_write_whose_content_breaks_leaves_nothing_to_read_and_the_cause_is_passed_on(long breaksAt)
    {
        await using var scene = await CreateAsync();
        var id = NewId();
        var cause = new InvalidDataException("broken");

        var thrown = await Assert.ThrowsAsync<InvalidDataException>(
            () => scene.Store.WriteAsync(id, new PatternStream(4 * Part, breaksAt, cause), Token));

        Assert.Same(cause, thrown);
        Assert.Null(await scene.Store.OpenAsync(id, 0, 1, Token));
        Assert.Empty(scene.Leftovers(id));
    }

    [Fact]
    public async Task A_canceled_write_leaves_nothing_to_read()
    {
        await using var scene = await CreateAsync();
        var id = NewId();
        using var cancel = new CancellationTokenSource();
        var content = new PatternStream(4 * Part, 2 * Part, new OperationCanceledException(cancel.Token));
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => scene.Store.WriteAsync(id, content, cancel.Token));

        Assert.Null(await scene.Store.OpenAsync(id, 0, 1, Token));
        Assert.Empty(scene.Leftovers(id));
    }

    internal static string NewId() => $"{Guid.NewGuid():N}";

    internal static async Task<byte[]> ReadAsync(IContentStore store, string id, long offset, long count)
    {
        await using var content = (await store.OpenAsync(id, offset, count, Token))!;
        var bytes = new byte[count];
        await content.ReadExactlyAsync(bytes, Token);
        return bytes;
    }

    internal abstract Task<StoreScene> CreateAsync();

    /// <summary>A store, and a look behind it.</summary>
    /// <param name="Store">The store.</param>
    /// <param name="Leftovers">What there is of a content that no read shows.</param>
    /// <param name="Owned">Disposed of at the end.</param>
    internal sealed record StoreScene(IContentStore Store, Func<string, IEnumerable<string>> Leftovers, params IReadOnlyList<object> Owned) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            foreach (var one in Owned)
            {
                (one as IDisposable)?.Dispose();
                if (one is IAsyncDisposable asynchronous)
                {
                    await asynchronous.DisposeAsync();
                }
            }
        }
    }
}

public sealed class FolderContentStoreTests : ContentStoreTests
{
    [Fact]
    public async Task What_an_interrupted_write_left_is_removed_with_its_id()
    {
        using var folder = new TemporaryFolder();
        var store = new FolderContentStore(folder.Path, mayCreate: false, writes: true);
        var id = NewId();
        Directory.CreateDirectory(Path.Combine(folder.Path, id[..2]));
        await File.WriteAllBytesAsync(Path.Combine(folder.Path, id[..2], id + ".part"), [1, 2, 3], Token);

        Assert.Null(await store.OpenAsync(id, 0, 1, Token));
        await store.DeleteAsync(id, Token);

        Assert.Empty(Directory.GetFiles(folder.Path, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_folder_that_does_not_exist_stops_the_start_unless_it_may_be_created()
    {
        using var parent = new TemporaryFolder();
        var folder = Path.Combine(parent.Path, "results");

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(
            () => new FolderContentStore(folder, mayCreate: false, writes: false).CheckAsync(Token));
        Assert.Equal($"Results:Folder: there is no folder {folder}. Create or mount it where API, workers and bot all see the same one.", failure.Message);

        await new FolderContentStore(folder, mayCreate: true, writes: true).CheckAsync(Token);
        Assert.Empty(Directory.GetFileSystemEntries(folder));
    }

    [Fact]
    public async Task A_folder_that_is_a_file_stops_the_start_of_the_worker()
    {
        using var parent = new TemporaryFolder();
        var file = Path.Combine(parent.Path, "results");
        await File.WriteAllTextAsync(file, "", Token);

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(
            () => new FolderContentStore(file, mayCreate: true, writes: true).CheckAsync(Token));

        Assert.StartsWith($"Results:Folder: {file} cannot be used: ", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_is_gone_is_not_taken_for_an_empty_one()
    {
        using var parent = new TemporaryFolder();
        var folder = Path.Combine(parent.Path, "results");
        var store = new FolderContentStore(folder, mayCreate: true, writes: true);
        var id = NewId();

        await Assert.ThrowsAsync<ContentStoreException>(() => store.DeleteAsync(id, Token));
        await Assert.ThrowsAsync<ContentStoreException>(() => store.WriteAsync(id, new PatternStream(10), Token));

        Assert.False(Directory.Exists(folder));
    }

    internal override Task<StoreScene> CreateAsync()
    {
        var folder = new TemporaryFolder();
        return Task.FromResult(new StoreScene(
            new FolderContentStore(folder.Path, mayCreate: false, writes: true),
            id => Directory.GetFiles(folder.Path, id + "*", SearchOption.AllDirectories),
            folder));
    }
}

public sealed class S3ContentStoreTests(S3Server server) : ContentStoreTests
{
    [Fact]
    public async Task Parts_of_an_upload_whose_process_died_are_removed_with_the_id()
    {
        await using var tracker = await UploadTracker.StartAsync(await server.AddressAsync());
        using var store = Create(tracker.Address);
        var id = NewId();

        // Aborting fails too, as when the process died.
        tracker.Fault = request => request.Method == "DELETE" ? 403 : 0;
        await Assert.ThrowsAsync<IOException>(() => store.WriteAsync(id, new PatternStream(4 * S3ContentStore.PartSize, 2 * S3ContentStore.PartSize), Token));
        Assert.Equal([$"{id[..2]}/{id}"], tracker.Open.Values);
        await Assert.ThrowsAsync<ContentStoreException>(() => store.DeleteAsync(id, Token));

        tracker.Fault = _ => 0;
        await store.DeleteAsync(id, Token);

        Assert.Empty(tracker.Open);
    }

    [Fact]
    public async Task A_request_that_fails_for_a_moment_is_repeated_and_one_that_always_fails_is_a_failure_of_the_store()
    {
        await using var tracker = await UploadTracker.StartAsync(await server.AddressAsync());
        using var store = Create(tracker.Address);
        var (id, failures) = (NewId(), 0);
        tracker.Fault = request => request.Query.ContainsKey("partNumber") && Interlocked.Increment(ref failures) is 1 or 3 ? 503 : 0;

        await store.WriteAsync(id, new PatternStream(2 * S3ContentStore.PartSize), Token);
        Assert.Equal(PatternStream.Bytes(S3ContentStore.PartSize - 5, 10), await ReadAsync(store, id, S3ContentStore.PartSize - 5, 10));

        tracker.Fault = request => request.Method == "PUT" ? 500 : 0;
        var failure = await Assert.ThrowsAsync<ContentStoreException>(() => store.WriteAsync(NewId(), new PatternStream(300_000), Token));
        Assert.StartsWith("The bucket results: ", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_cannot_list_uploads_still_removes_contents()
    {
        // The server itself, which can neither list nor abort them.
        using var store = Create(await server.AddressAsync());
        var id = NewId();
        await store.WriteAsync(id, new PatternStream(1000), Token);

        await store.DeleteAsync(id, Token);

        Assert.Null(await store.OpenAsync(id, 0, 1, Token));
    }

    [Fact]
    public async Task A_reader_goes_on_when_the_connection_to_the_server_is_cut()
    {
        const long Length = 30_000_000;
        await using var proxy = new TcpProxy((await server.AddressAsync()).Port);
        using var store = Create(new Uri($"http://127.0.0.1:{proxy.Port}"));
        var id = NewId();
        await store.WriteAsync(id, new PatternStream(Length), Token);
        await using var content = new StoredContent(store, id, Length);
        var bytes = new byte[Length];

        for (var at = 0; at < Length; at += 3_000_000)
        {
            await content.ReadExactlyAsync(bytes.AsMemory(at, 3_000_000), Token);
            proxy.Cut();
        }

        Assert.True(PatternStream.Bytes(0, Length).AsSpan().SequenceEqual(bytes));
    }

    [Theory]
    [InlineData("elsewhere", S3Server.Key, S3Server.Key, "Results:S3: the bucket elsewhere cannot be used: NoSuchBucket, ")]
    [InlineData(S3Server.Bucket, S3Server.Key, "wrong", "Results:S3: the bucket results cannot be used: SignatureDoesNotMatch, ")]
    [InlineData(S3Server.Bucket, "nobody", S3Server.Key, "Results:S3: the bucket results cannot be used: InvalidAccessKeyId, ")]
    public async Task A_wrong_bucket_or_key_stops_the_start_with_a_message_that_names_it(string bucket, string key, string secret, string message)
    {
        var options = await server.OptionsAsync();
        (options.Bucket, options.AccessKey, options.SecretKey) = (bucket, key, secret);
        using var store = new S3ContentStore(options, NullLogger<S3ContentStore>.Instance);

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => store.CheckAsync(Token));

        Assert.StartsWith(message, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_right_bucket_passes_the_start_and_so_does_a_server_that_does_not_answer_now()
    {
        using var right = Create(await server.AddressAsync());
        await right.CheckAsync(Token);

        var address = NativeServers.Native.LoopbackPort.FindFreeAddress();
        using var away = Create(address);
        await away.CheckAsync(Token);
        await Assert.ThrowsAsync<ContentStoreException>(() => away.OpenAsync(NewId(), 0, 1, Token));
        await Assert.ThrowsAsync<ContentStoreException>(() => away.DeleteAsync(NewId(), Token));
    }

    internal override async Task<StoreScene> CreateAsync()
    {
        var tracker = await UploadTracker.StartAsync(await server.AddressAsync());
        var store = Create(tracker.Address);
        return new StoreScene(store, id => tracker.Open.Values.Where(key => key.EndsWith(id, StringComparison.Ordinal)), store, tracker);
    }

    private static S3ContentStore Create(Uri address) => new(S3Server.Options(address), NullLogger<S3ContentStore>.Instance);
}
