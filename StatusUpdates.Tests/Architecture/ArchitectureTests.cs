using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Mono.Cecil;

namespace StatusUpdates.Tests.Architecture;

/// <summary>Dependencies point one way, between the folders of a project and between projects.</summary>
public sealed partial class ArchitectureTests
{
    private const string Tests = "StatusUpdates.Tests";

    public static TheoryData<string> Checked() => [.. Solution().Keys.Except([Tests])];

    [Theory]
    [MemberData(nameof(Checked))]
    public void No_folder_of_a_project_needs_itself_through_others(string project)
    {
        using var module = Read(project);
        var slices = new Slices(project, TypeDependencies.Of(module));

        var faults = string.Join('\n', slices.Circles().Concat(slices.NeededCompositions()));

        Assert.True(faults.Length == 0, faults);
    }

    [Fact]
    public void No_project_references_what_it_must_not_know()
    {
        var references = Solution();

        Assert.Empty(references["StatusUpdates.Messaging"]);
        Assert.Empty(references["StatusUpdates.NativeServers"]);
        Assert.Empty(references["StatusUpdates.Egress"]);
        Assert.Equal(["StatusUpdates.Messaging"], references["StatusUpdates.Client"]);
        Assert.Equal(["StatusUpdates.Messaging"], references["StatusUpdates.Data"]);
        Assert.Empty(references["StatusUpdates.ServiceDefaults"]);
        string[] programs = ["StatusUpdates.Api", "StatusUpdates.Worker", "StatusUpdates.Bot", "StatusUpdates.SampleProviders"];
        foreach (var library in references.Keys.Except([.. programs, "StatusUpdates.AppHost", "StatusUpdates.Benchmarks", Tests]))
        {
            Assert.DoesNotContain(references[library], programs.Contains);
        }

        Assert.DoesNotContain(references["StatusUpdates.Api"].Concat(references["StatusUpdates.Bot"]).Concat(references["StatusUpdates.Worker"]), programs.Contains);
        Assert.All(references.Values, known => Assert.DoesNotContain(Tests, known));
    }

    [Fact]
    public void A_circle_is_found_in_lambdas_iterators_async_methods_and_attributes_and_is_named()
    {
        using var module = Read(Tests);
        const string Samples = "StatusUpdates.Tests.Architecture.Samples";
        var slices = new Slices(Samples, [.. TypeDependencies.Of(module).Where(need => (need.From.Namespace + ".").StartsWith(Samples + ".", StringComparison.Ordinal))]);

        Assert.Equal(
            [
                $"{Samples}.A needs {Samples}.B (InAsyncLambda: Needed), {Samples}.B needs {Samples}.C (InAttribute: NeededAttribute), {Samples}.C needs {Samples}.A (InIterator: Needed)",
            ],
            slices.Circles());
        Assert.Equal([$"{Samples}.A.InAsyncLambda needs {Samples}.Composition, which needs {Samples}.B.Needed"], slices.NeededCompositions());
    }

    private static ModuleDefinition Read(string project) => ModuleDefinition.ReadModule(Path.Combine(AppContext.BaseDirectory, project + ".dll"));

    /// <summary>The projects of the solution, without the samples, and the projects that each references.</summary>
    private static Dictionary<string, string[]> Solution([CallerFilePath] string thisFile = "")
    {
        var root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", ".."));
        return Project().Matches(File.ReadAllText(Path.Combine(root, "StatusUpdates.sln"))).Select(match => match.Groups["name"].Value).ToDictionary(
            name => name,
            name => XDocument.Load(Path.Combine(root, name, name + ".csproj")).Descendants("ProjectReference")
                .Select(reference => Path.GetFileNameWithoutExtension((string)reference.Attribute("Include")!))
                .ToArray());
    }

    [GeneratedRegex("""(?<=")(?<name>StatusUpdates\.\w+)(?=\\\k<name>\.csproj")""")]
    private static partial Regex Project();
}
