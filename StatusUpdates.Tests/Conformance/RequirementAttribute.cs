using Xunit.v3;

namespace StatusUpdates.Tests.Conformance;

/// <summary>The numbered requirements of <c>docs/protocol.md</c> and <c>docs/worker-protocol.md</c> that a test covers. A trait: <c>--filter Requirement=W8</c>.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class RequirementAttribute(params string[] numbers) : Attribute, ITraitAttribute
{
    public IReadOnlyList<string> Numbers { get; } = numbers;

    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() =>
        [.. Numbers.Select(number => KeyValuePair.Create("Requirement", number))];
}
