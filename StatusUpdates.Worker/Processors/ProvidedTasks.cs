namespace StatusUpdates.Worker.Processors;

/// <summary>The tasks that this worker has providers for.</summary>
internal sealed record ProvidedTasks(IReadOnlyList<string> Names);
