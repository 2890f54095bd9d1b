using StatusUpdates.Messaging;

namespace StatusUpdates.Client;

/// <summary>A generation, as of the API's response. Immutable.</summary>
public sealed record Generation : GenerationView;
