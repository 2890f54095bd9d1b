using Microsoft.Extensions.DependencyInjection;
using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Chat answers: type <c>chat</c>.</summary>
internal sealed class ChatProcessingProcessor(
    [FromKeyedServices(GenerationTask.ChatProcessing)] IGenerationProvider provider, ResultUploader results, AttemptWriter writer)
    : BaseProcessor(GenerationTask.ChatProcessing, "text", ["text/", "application/json"], provider, results, writer);
