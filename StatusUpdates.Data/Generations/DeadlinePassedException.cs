namespace StatusUpdates.Data.Generations;

/// <summary>A submission came after its own deadline, by the database's clock: nothing was submitted.</summary>
public sealed class DeadlinePassedException() : Exception("The deadline has passed.");
