using System.Text;
using Microsoft.Extensions.Options;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.SampleProviders.Providers;

/// <summary>Answers a chat prompt: plain text, which a browser shows instead of downloading it.</summary>
internal sealed class ChatProcessingProvider(IOptions<SampleProvidersOptions> options, TimeProvider time)
    : SampleProvider(options.Value.ChatProcessing, time)
{
    protected override (ProviderContent Content, long Tokens) Render(ProviderRequest request, CancellationToken cancellationToken)
    {
        var answer = ChatAnswer.Compose(request.Prompt);
        return (new ProviderContent("text/plain; charset=utf-8", Encoding.UTF8.GetBytes(answer)), Tokens(answer));
    }
}
