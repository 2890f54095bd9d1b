namespace StatusUpdates.Data.Generations;

/// <summary>The submission's deadline had already passed, by the database's clock: nothing was submitted.</summary>
public sealed class DeadlinePassedException() : Exception("The deadline has passed.");
