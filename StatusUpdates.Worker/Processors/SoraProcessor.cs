using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Videos: type <c>sora</c>.</summary>
internal sealed class SoraProcessor(
    [FromKeyedServices(GenerationTask.Sora)] IGenerationProvider provider, ResultUploader results, AttemptWriter writer)
    : BaseProcessor(GenerationTask.Sora, "a video or an image", ["video/", "image/"], provider, results, writer);
