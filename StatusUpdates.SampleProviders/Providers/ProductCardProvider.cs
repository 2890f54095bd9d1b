using Microsoft.Extensions.Options;
using StatusUpdates.SampleProviders.Rendering;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.SampleProviders.Providers;

/// <summary>Draws a product card: a PNG image.</summary>
internal sealed class ProductCardProvider(IOptions<SampleProvidersOptions> options, TimeProvider time)
    : SampleProvider(options.Value.ProductCard, time)
{
    protected override (ProviderContent Content, long Tokens) Render(ProviderRequest request, CancellationToken cancellationToken) =>
        (new ProviderContent("image/png", ProductCardRenderer.Render(request.Prompt, request.Seed)), 10);
}
