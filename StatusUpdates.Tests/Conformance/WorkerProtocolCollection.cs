using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Conformance;

/// <summary>The tests of the worker protocol share a server, and run one after another: they would take each other's generations.</summary>
[CollectionDefinition(Name)]
public sealed class WorkerProtocolCollection : ICollectionFixture<SharedApi>
{
    public const string Name = "worker protocol";
}
