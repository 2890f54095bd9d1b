using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace StatusUpdates.Tests.Conformance;

/// <summary>The protocol documents and the conformance tests have the same requirements. A number is in one of the documents only.</summary>
public sealed partial class RequirementCoverageTests
{
    [Fact]
    public async Task Every_server_requirement_that_can_be_tested_from_outside_has_a_test_and_every_cited_number_exists()
    {
        var text = await File.ReadAllTextAsync(Path.Combine(Root(), "docs", "protocol.md"), TestTime.Token)
            + await File.ReadAllTextAsync(Path.Combine(Root(), "docs", "worker-protocol.md"), TestTime.Token);
        var defined = Definition().Matches(text)
            .Select(match => (Number: match.Groups["number"].Value, IsTestable: match.Groups["mark"].Value.Length == 0))
            .Where(requirement => requirement.Number[0] is not 'K' and not 'X')
            .ToArray();
        Assert.Distinct(defined.Select(requirement => requirement.Number));
        Assert.InRange(defined.Length, 40, 200);

        var tested = typeof(RequirementCoverageTests).Assembly.GetTypes()
            .Where(type => type.Namespace == typeof(RequirementCoverageTests).Namespace)
            .SelectMany(type => type.GetMethods())
            .SelectMany(method => method.GetCustomAttribute<RequirementAttribute>()?.Numbers ?? []);
        Assert.Equal(
            defined.Where(requirement => requirement.IsTestable).Select(requirement => requirement.Number).Order(StringComparer.Ordinal),
            tested.Distinct().Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"\*\*\[(?<number>[A-Z]\d+)\]\*\*(?<mark>†?)")]
    private static partial Regex Definition();

    private static string Root([CallerFilePath] string thisFile = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", ".."));
}
