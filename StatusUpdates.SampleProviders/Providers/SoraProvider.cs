using Microsoft.Extensions.Options;
using StatusUpdates.SampleProviders.Rendering;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.SampleProviders.Providers;

/// <summary>Makes a short loop: an animated WebP image, which every browser plays.</summary>
internal sealed class SoraProvider(IOptions<SampleProvidersOptions> options, TimeProvider time)
    : SampleProvider(options.Value.Sora, time)
{
    protected override (ProviderContent Content, long Tokens) Render(ProviderRequest request, CancellationToken cancellationToken) =>
        (new ProviderContent("image/webp", SeaLoopRenderer.Render(request.Prompt, request.Seed, cancellationToken)), 120);
}
