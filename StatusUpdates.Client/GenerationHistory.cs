using StatusUpdates.Messaging;

namespace StatusUpdates.Client;

/// <summary>A generation's updates.</summary>
/// <param name="Items">In order of <see cref="StatusUpdate.Seq"/>.</param>
/// <param name="Complete">False if retention has removed some of the requested updates.</param>
public sealed record GenerationHistory(IReadOnlyList<StatusUpdate> Items, bool Complete);
