using Microsoft.Extensions.Options;
using StatusUpdates.Data.Results;
using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Gives every result a URL: content is stored and served by the API, a link is checked and passed on. Thread-safe.</summary>
internal sealed class ResultUploader(GenerationResultStore store, IOptions<ResultsOptions> options)
{
    /// <exception cref="ProviderException">A result is not valid.</exception>
    public async Task<IReadOnlyList<string>> UploadAsync(
        string generationId, IReadOnlyList<ProviderOutput> outputs, CancellationToken cancellationToken)
    {
        if (outputs.Count > ResultRules.MaxResults)
        {
            throw new ProviderException($"The provider returned {outputs.Count} results; {ResultRules.MaxResults} are allowed.");
        }

        foreach (var output in outputs)
        {
            Check(output);
        }

        var urls = new List<string>(outputs.Count);
        foreach (var output in outputs)
        {
            urls.Add(output is ProviderContent content
                ? options.Value.UrlOf(await store.SaveAsync(generationId, content.ContentType, content.Bytes, cancellationToken))
                : ((ProviderLink)output).Url.AbsoluteUri);
        }

        return urls;
    }

    private static void Check(ProviderOutput output)
    {
        switch (output)
        {
            case ProviderLink { Url: var url } when ResultRules.IsUrl(url):
                return;
            case ProviderLink:
                throw new ProviderException("The provider returned a result address that is not a plain http or https address.");
            case ProviderContent content when content.Bytes.Length > GenerationResult.MaxBytes:
                throw new ProviderException(
                    $"The provider returned a result of {content.Bytes.Length} bytes; {GenerationResult.MaxBytes} are allowed.");
            case ProviderContent content when ResultRules.IsMediaType(content.ContentType):
                return;
            default:
                throw new ProviderException("The provider returned a result without a valid media type.");
        }
    }
}
