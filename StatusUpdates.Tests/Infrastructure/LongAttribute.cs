using Xunit.v3;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>
/// Takes long, or starts a system of its own. <c>./test</c> leaves these tests out, <c>./test --all</c> runs them, and so does a filter that names
/// them. What such a test proves must also be tested in a small form without this attribute.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
internal sealed class LongAttribute : Attribute, ITraitAttribute
{
    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => [KeyValuePair.Create("Duration", "Long")];
}
