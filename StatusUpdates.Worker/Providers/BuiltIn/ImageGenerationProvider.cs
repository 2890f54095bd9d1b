using Microsoft.Extensions.Options;
using StatusUpdates.Worker.Rendering;

namespace StatusUpdates.Worker.Providers.BuiltIn;

/// <summary>Makes generative art: a PNG image.</summary>
internal sealed class ImageGenerationProvider(IOptions<BuiltInProvidersOptions> options, TimeProvider time)
    : BuiltInProvider(options.Value.ImageGeneration.Duration, time)
{
    protected override (ProviderContent Content, long Tokens) Render(ProviderRequest request, CancellationToken cancellationToken) =>
        (new ProviderContent("image/png", FlowFieldRenderer.Render(request.Seed, cancellationToken)), 40);
}
