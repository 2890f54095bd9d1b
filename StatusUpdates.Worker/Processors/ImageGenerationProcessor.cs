using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Images made in a chat: type <c>chat</c>, task <c>image_generation</c>.</summary>
internal sealed class ImageGenerationProcessor(
    [FromKeyedServices(GenerationTask.ImageGeneration)] IGenerationProvider provider, ResultUploader results, AttemptWriter writer)
    : BaseProcessor(GenerationTask.ImageGeneration, "an image", ["image/"], provider, results, writer);
