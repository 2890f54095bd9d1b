using Microsoft.Extensions.Options;
using StatusUpdates.SampleProviders.Rendering;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.SampleProviders.Providers;

/// <summary>Makes generative art: a PNG image.</summary>
internal sealed class ImageGenerationProvider(IOptions<SampleProvidersOptions> options, TimeProvider time)
    : SampleProvider(options.Value.ImageGeneration, time)
{
    protected override (ProviderContent Content, long Tokens) Render(ProviderRequest request, CancellationToken cancellationToken) =>
        (new ProviderContent("image/png", FlowFieldRenderer.Render(request.Seed, cancellationToken)), 40);
}
