using StatusUpdates.ResultStore;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>A stored result, read as a whole.</summary>
public sealed record StoredResult(string ContentType, byte[] Bytes);

/// <summary>Reads results as a whole, which only tests do.</summary>
internal static class ResultReads
{
    /// <summary>The result with that id, or null.</summary>
    public static async Task<StoredResult?> FindAsync(this GenerationResultStore results, string id, CancellationToken cancellationToken)
    {
        if (await results.DescribeAsync(id, cancellationToken) is not { } result)
        {
            return null;
        }

        await using var content = results.OpenRead(result);
        using var bytes = new MemoryStream();
        await content.CopyToAsync(bytes, cancellationToken);
        return new StoredResult(result.ContentType, bytes.ToArray());
    }
}
