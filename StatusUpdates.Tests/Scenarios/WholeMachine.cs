namespace StatusUpdates.Tests.Scenarios;

/// <summary>
/// Tests that keep every processor busy by themselves, one after the other and with nothing beside them, which would only make all of it slower.
/// What waits more than it works belongs with the others.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class WholeMachine
{
    public const string Name = "The whole machine";
}
