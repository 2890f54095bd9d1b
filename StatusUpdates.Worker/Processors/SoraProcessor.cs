using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Videos: type <c>sora</c>.</summary>
internal sealed class SoraProcessor(
    [FromKeyedServices(GenerationTask.Sora)] IGenerationProvider provider, StatusLog log, ResultUploader results, PatientWrites patient)
    : BaseProcessor(GenerationTask.Sora, provider, log, results, patient)
{
    protected override string Makes => "a video or an image";

    protected override bool Accepts(string contentType) => IsKind(contentType, "video/") || IsKind(contentType, "image/");
}
