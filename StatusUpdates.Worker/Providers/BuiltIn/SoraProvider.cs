using Microsoft.Extensions.Options;
using StatusUpdates.Worker.Rendering;

namespace StatusUpdates.Worker.Providers.BuiltIn;

/// <summary>Makes a short loop: an animated WebP image, which every browser plays.</summary>
internal sealed class SoraProvider(IOptions<BuiltInProvidersOptions> options, TimeProvider time)
    : BuiltInProvider(options.Value.Sora.Duration, time)
{
    protected override (ProviderContent Content, long Tokens) Render(ProviderRequest request, CancellationToken cancellationToken) =>
        (new ProviderContent("image/webp", SeaLoopRenderer.Render(request.Prompt, request.Seed, cancellationToken)), 120);
}
