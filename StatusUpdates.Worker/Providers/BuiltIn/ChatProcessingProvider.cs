using System.Text;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Worker.Providers.BuiltIn;

/// <summary>Answers a chat prompt: plain text, which a browser shows instead of downloading it.</summary>
internal sealed class ChatProcessingProvider(IOptions<BuiltInProvidersOptions> options, TimeProvider time)
    : BuiltInProvider(options.Value.ChatProcessing.Duration, time)
{
    protected override (ProviderContent Content, long Tokens) Render(ProviderRequest request, CancellationToken cancellationToken)
    {
        var answer = ChatAnswer.Compose(request.Prompt);
        return (new ProviderContent("text/plain; charset=utf-8", Encoding.UTF8.GetBytes(answer)), Tokens(answer));
    }
}
