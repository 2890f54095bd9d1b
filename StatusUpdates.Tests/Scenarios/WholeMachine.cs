namespace StatusUpdates.Tests.Scenarios;

/// <summary>Tests that load the machine, one after the other and with nothing beside them: others would be slowed past what they wait for.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class WholeMachine
{
    public const string Name = "The whole machine";
}
