using Microsoft.Extensions.Options;
using StatusUpdates.Data.Results;
using StatusUpdates.Messaging;
using StatusUpdates.ResultStore;
using StatusUpdates.ResultStore.Contents;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>
/// Gives every result a URL: content is stored and served by the API, what will expire is copied, and a link is checked and passed on. Nothing is in
/// memory as a whole that the provider did not have there. Thread-safe.
/// </summary>
internal sealed class ResultUploader(
    GenerationResultStore store, ResultDownloads downloads, AttemptWriter writer, IOptions<ResultsOptions> options, TimeProvider time)
{
    // A stream that breaks is read again: what it has may have cost more than all attempts.
    private const int MaxReads = 3;

    private static readonly Backoff ReadBackoff = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10));

    /// <param name="generationId">The generation.</param>
    /// <param name="outputs">Its results.</param>
    /// <param name="checkKind">Throws if results of a media type are not what the task creates.</param>
    /// <param name="cancellationToken">Cancels it; what is stored already is removed with the generation.</param>
    /// <exception cref="ProviderException">A result is not valid.</exception>
    public async Task<IReadOnlyList<string>> UploadAsync(
        string generationId, IReadOnlyList<ProviderOutput> outputs, Action<string> checkKind, CancellationToken cancellationToken)
    {
        if (outputs.Count > ResultRules.MaxResults)
        {
            throw new ProviderException($"The provider returned {outputs.Count} results; {ResultRules.MaxResults} are allowed.");
        }

        foreach (var output in outputs)
        {
            Check(output, checkKind);
        }

        var urls = new List<string>(outputs.Count);
        foreach (var output in outputs)
        {
            urls.Add(output is ProviderLink link
                ? link.Url.AbsoluteUri
                : options.Value.UrlOf(await StoreAsync(generationId, output, checkKind, cancellationToken)));
        }

        return urls;
    }

    private async Task<string> StoreAsync(string generationId, ProviderOutput output, Action<string> checkKind, CancellationToken cancellationToken)
    {
        try
        {
            return output switch
            {
                ProviderContent content when content.Bytes.Length > options.Value.MaxBytes => throw new ContentTooLargeException(options.Value.MaxBytes),
                ProviderContent content => await SaveAsync(
                    generationId, content.ContentType, new MemoryStream(content.Bytes, writable: false), cancellationToken),
                ProviderStream stream => await RepeatAsync(
                    async token => await SaveAsync(generationId, stream.ContentType, await stream.OpenAsync(token), token), cancellationToken),
                _ => await CopyAsync(generationId, (ProviderDownload)output, checkKind, cancellationToken),
            };
        }
        catch (ContentTooLargeException)
        {
            throw new ProviderException($"The provider returned a result that is too large: more than {options.Value.MaxBytes} bytes.");
        }
    }

    private async Task<string> CopyAsync(string generationId, ProviderDownload download, Action<string> checkKind, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(options.Value.DownloadTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await RepeatAsync(
                async token =>
                {
                    using var response = await downloads.OpenAsync(download, token);
                    var headers = response.Content.Headers;
                    var type = download.ContentType ?? headers.ContentType?.ToString() ?? "";
                    CheckType(type, checkKind);
                    if (headers.ContentLength > options.Value.MaxBytes)
                    {
                        throw new ContentTooLargeException(options.Value.MaxBytes);
                    }

                    return await SaveAsync(generationId, type, await response.Content.ReadAsStreamAsync(token), token);
                },
                either.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TransientProviderException("The provider's result could not be copied in time.");
        }
    }

    // The statements wait for an unavailable database, as outcomes do; the content is not read again for that.
    private async Task<string> SaveAsync(string generationId, string contentType, Stream content, CancellationToken cancellationToken)
    {
        await using (content)
        {
            return await store.SaveAsync(generationId, contentType, content, statement => writer.WriteAsync(statement, cancellationToken), cancellationToken);
        }
    }

    private async Task<T> RepeatAsync<T>(Func<CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        for (var reads = 1; ; reads++)
        {
            try
            {
                return await read(cancellationToken);
            }
            catch (Exception e) when (reads < MaxReads && IsBroken(e))
            {
                await Task.Delay(ReadBackoff.After(reads), time, cancellationToken);
            }
        }
    }

    private static bool IsBroken(Exception e) => e is IOException or HttpRequestException && TransientFailures.Contains(e);

    private static void Check(ProviderOutput output, Action<string> checkKind)
    {
        switch (output)
        {
            case ProviderLink link when !ResultRules.IsUrl(link.Url):
            case ProviderDownload download when !ResultRules.IsAddress(download.Url):
                throw new ProviderException("The provider returned a result address that is not a plain http or https address.");
            case ProviderContent content:
                CheckType(content.ContentType, checkKind);
                break;
            case ProviderStream stream:
                CheckType(stream.ContentType, checkKind);
                break;
        }
    }

    private static void CheckType(string contentType, Action<string> checkKind)
    {
        if (!ResultRules.IsMediaType(contentType))
        {
            throw new ProviderException("The provider returned a result without a valid media type.");
        }

        checkKind(contentType);
    }
}
