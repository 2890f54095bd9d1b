using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Product cards: type <c>product_card</c>.</summary>
internal sealed class ProductCardProcessor(
    [FromKeyedServices(GenerationTask.ProductCard)] IGenerationProvider provider, StatusLog log, ResultUploader results)
    : BaseProcessor(GenerationTask.ProductCard, provider, log, results)
{
    protected override string Makes => "an image";

    protected override bool Accepts(string contentType) => IsKind(contentType, "image/");
}
