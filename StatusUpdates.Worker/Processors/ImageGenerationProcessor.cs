using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Images made in a chat: type <c>chat</c>, task <c>image_generation</c>.</summary>
internal sealed class ImageGenerationProcessor(
    [FromKeyedServices(GenerationTask.ImageGeneration)] IGenerationProvider provider, StatusLog log, ResultUploader results, PatientWrites patient)
    : BaseProcessor(GenerationTask.ImageGeneration, provider, log, results, patient)
{
    protected override string Makes => "an image";

    protected override bool Accepts(string contentType) => IsKind(contentType, "image/");
}
