using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Product cards: type <c>product_card</c>.</summary>
internal sealed class ProductCardProcessor(
    [FromKeyedServices(GenerationTask.ProductCard)] IGenerationProvider provider, StatusLog log, ResultUploader results, PatientWrites patient)
    : BaseProcessor(GenerationTask.ProductCard, provider, log, results, patient)
{
    protected override string Makes => "an image";

    protected override bool Accepts(string contentType) => IsKind(contentType, "image/");
}
