using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Product cards: type <c>product_card</c>.</summary>
internal sealed class ProductCardProcessor(
    [FromKeyedServices(GenerationTask.ProductCard)] IGenerationProvider provider, ResultUploader results, AttemptWriter writer)
    : BaseProcessor(GenerationTask.ProductCard, "an image", ["image/"], provider, results, writer);
