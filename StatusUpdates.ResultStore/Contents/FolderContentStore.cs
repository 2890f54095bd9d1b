using System.Buffers;

namespace StatusUpdates.ResultStore.Contents;

/// <summary>
/// Contents as files: <c>{folder}/{first two digits of the id}/{id}</c>. A file that is being written has the suffix <c>.part</c>; only when its
/// bytes are on the disk does it get its name, in one step.
/// </summary>
internal sealed class FolderContentStore(string folder, bool mayCreate, bool writes) : IContentStore
{
    private const string Setting = "Results:Folder";
    private const string Unfinished = ".part";
    private const int CopySize = 128 * 1024;
    private const int PrefixLength = 2;

    public string Kind => "folder";

    /// <summary>The folder that all services of this user find without a setting.</summary>
    public static string OfCurrentUser()
    {
        var data = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData);
        return Path.Combine(data.Length > 0 ? data : Path.GetTempPath(), "status-updates", "results");
    }

    public Task CheckAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (mayCreate)
            {
                Directory.CreateDirectory(folder);
            }

            if (!Directory.Exists(folder))
            {
                throw new InvalidOperationException(
                    $"{Setting}: there is no folder {folder}. Create or mount it where API, workers and bot all see the same one.");
            }

            if (writes)
            {
                var probe = Path.Combine(folder, $"{Guid.NewGuid():N}{Unfinished}");
                File.WriteAllBytes(probe, []);
                File.Delete(probe);
            }

            return Task.CompletedTask;
        }
        catch (Exception e) when (IsOurs(e))
        {
            throw new InvalidOperationException($"{Setting}: {folder} cannot be used: {e.Message}", e);
        }
    }

    public async Task WriteAsync(string id, Stream content, CancellationToken cancellationToken)
    {
        var path = PathOf(id);
        var part = path + Unfinished;
        var buffer = ArrayPool<byte>.Shared.Rent(CopySize);
        try
        {
            await using (var file = Do(() => Create(part)))
            {
                int read;
                while ((read = await content.ReadAsync(buffer, cancellationToken)) > 0)
                {
                    await DoAsync(() => file.WriteAsync(buffer.AsMemory(0, read), cancellationToken).AsTask());
                }

                // Takes as long as the disk does.
                await DoAsync(() => Task.Run(() => file.Flush(flushToDisk: true), cancellationToken));
            }

            await DoAsync(() => Task.Run(() => Finish(part, path), cancellationToken));
        }
        catch
        {
            TryDelete(part);
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public Task<Stream?> OpenAsync(string id, long offset, long count, CancellationToken cancellationToken)
    {
        try
        {
            // Reads are as large as the reader's buffer: a buffer of the stream's own would only cost memory.
            var file = new FileStream(PathOf(id), new FileStreamOptions
            {
                Mode = FileMode.Open,
                Access = FileAccess.Read,
                Share = FileShare.Read | FileShare.Delete,
                Options = FileOptions.Asynchronous,
                BufferSize = 0,
            });
            file.Position = offset;
            return Task.FromResult<Stream?>(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return Task.FromResult<Stream?>(null);
        }
        catch (Exception e) when (IsOurs(e))
        {
            throw new ContentStoreException($"{folder}: {e.Message}", e);
        }
    }

    public Task DeleteAsync(string id, CancellationToken cancellationToken) => Task.Run(
        () => Do(() =>
        {
            var path = PathOf(id);
            if (Directory.Exists(Path.GetDirectoryName(path)))
            {
                File.Delete(path);
                File.Delete(path + Unfinished);
            }
            else
            {
                ThrowIfGone();
            }

            return true;
        }),
        cancellationToken);

    private FileStream Create(string path)
    {
        var directory = Path.GetDirectoryName(path)!;
        if (!Directory.Exists(directory))
        {
            ThrowIfGone();
            Directory.CreateDirectory(directory);
            DirectorySync.Flush(folder);
        }

        return new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            Share = FileShare.Delete,
            Options = FileOptions.Asynchronous,
            BufferSize = 0,
        });
    }

    private static void Finish(string part, string path)
    {
        // With overwriting, which never happens, it is one rename; without, it could be a copy on some file systems.
        File.Move(part, path, overwrite: true);
        DirectorySync.Flush(Path.GetDirectoryName(path)!);
    }

    // Not mounted, for example: then its files are elsewhere.
    private void ThrowIfGone()
    {
        if (!Directory.Exists(folder))
        {
            throw new DirectoryNotFoundException("The folder does not exist.");
        }
    }

    private string PathOf(string id) => Path.Combine(folder, id[..PrefixLength], id);

    // The failure that led here is the one to report; the rest is removed later by DeleteAsync.
    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (IsOurs(e))
        {
        }
    }

    private T Do<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (IsOurs(e))
        {
            throw new ContentStoreException($"{folder}: {e.Message}", e);
        }
    }

    private async Task DoAsync(Func<Task> action)
    {
        try
        {
            await action();
        }
        catch (Exception e) when (IsOurs(e))
        {
            throw new ContentStoreException($"{folder}: {e.Message}", e);
        }
    }

    private static bool IsOurs(Exception e) => e is IOException or UnauthorizedAccessException;
}
