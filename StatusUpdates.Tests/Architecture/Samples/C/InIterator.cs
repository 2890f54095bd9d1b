namespace StatusUpdates.Tests.Architecture.Samples.C;

internal static class InIterator
{
    public static IEnumerable<object> Create()
    {
        yield return new A.Needed();
    }
}

[AttributeUsage(AttributeTargets.Class)]
internal sealed class NeededAttribute : Attribute;
