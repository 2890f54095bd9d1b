using Microsoft.Extensions.Options;
using StatusUpdates.Worker.Rendering;

namespace StatusUpdates.Worker.Providers.BuiltIn;

/// <summary>Draws a product card: a PNG image.</summary>
internal sealed class ProductCardProvider(IOptions<BuiltInProvidersOptions> options, TimeProvider time)
    : BuiltInProvider(options.Value.ProductCard.Duration, time)
{
    protected override (ProviderContent Content, long Tokens) Render(ProviderRequest request, CancellationToken cancellationToken) =>
        (new ProviderContent("image/png", ProductCardRenderer.Render(request.Prompt, request.Seed)), 10);
}
