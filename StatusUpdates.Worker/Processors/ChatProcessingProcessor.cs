using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Chat answers: type <c>chat</c>.</summary>
internal sealed class ChatProcessingProcessor(
    [FromKeyedServices(GenerationTask.ChatProcessing)] IGenerationProvider provider, StatusLog log, ResultUploader results, PatientWrites patient)
    : BaseProcessor(GenerationTask.ChatProcessing, provider, log, results, patient)
{
    protected override string Makes => "text";

    protected override bool Accepts(string contentType) => IsKind(contentType, "text/") || IsKind(contentType, "application/json");
}
