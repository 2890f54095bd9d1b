namespace StatusUpdates.Tests.Architecture.Samples;

internal sealed class Composition
{
    public B.Needed? Needed { get; init; }
}
