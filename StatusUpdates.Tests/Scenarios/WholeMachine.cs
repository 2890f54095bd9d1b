namespace StatusUpdates.Tests.Scenarios;

/// <summary>
/// Tests that keep every processor busy by themselves. They run one after the other and without other tests in parallel, which would only slow
/// everything down. A test that mostly waits does not belong here.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class WholeMachine
{
    public const string Name = "The whole machine";
}
