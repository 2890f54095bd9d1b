using Mono.Cecil;

namespace StatusUpdates.Tests.Architecture;

/// <summary>
/// A project's namespaces, which are its folders, and what they need of each other. Outside all of them are the project's root namespace and those of
/// others (extension methods): the types there either compose, and then no folder may need them, or are contracts, and then they may need no folder.
/// </summary>
internal sealed class Slices(string project, IReadOnlyList<(TypeDefinition From, TypeDefinition To)> dependencies)
{
    /// <summary>The shortest circles, each as a text that names its types.</summary>
    public IEnumerable<string> Circles()
    {
        var needs = dependencies.Where(need => IsInFolder(need.From) && IsInFolder(need.To) && need.From.Namespace != need.To.Namespace)
            .ToLookup(need => need.From.Namespace);
        foreach (var start in needs.Select(need => need.Key).Order(StringComparer.Ordinal))
        {
            // Once for each circle: from the first of its namespaces.
            if (WayBack(start, needs) is { } circle && circle.TrueForAll(need => string.CompareOrdinal(start, need.From.Namespace) <= 0))
            {
                yield return string.Join(", ", circle.Select(need => $"{need.From.Namespace} needs {need.To.Namespace} ({need.From.Name}: {need.To.Name})"));
            }
        }
    }

    /// <summary>Types that a folder needs although they need a folder.</summary>
    public IEnumerable<string> NeededCompositions() =>
        from need in dependencies
        where IsInFolder(need.From) && !IsInFolder(need.To) && FolderNeededBy(need.To, []) is not null
        select $"{need.From.FullName} needs {need.To.FullName}, which needs {FolderNeededBy(need.To, [])}";

    private static List<(TypeDefinition From, TypeDefinition To)>? WayBack(string start, ILookup<string, (TypeDefinition From, TypeDefinition To)> needs)
    {
        var ways = new Queue<List<(TypeDefinition From, TypeDefinition To)>>(needs[start].Select(need => (List<(TypeDefinition, TypeDefinition)>)[need]));
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (ways.TryDequeue(out var way))
        {
            var end = way[^1].To.Namespace;
            if (end == start)
            {
                return way;
            }

            if (seen.Add(end))
            {
                foreach (var need in needs[end])
                {
                    ways.Enqueue([.. way, need]);
                }
            }
        }

        return null;
    }

    private string? FolderNeededBy(TypeDefinition type, HashSet<TypeDefinition> seen) => !seen.Add(type) ? null : dependencies
        .Where(need => need.From == type)
        .Select(need => IsInFolder(need.To) ? need.To.FullName : FolderNeededBy(need.To, seen))
        .FirstOrDefault(folder => folder is not null);

    private bool IsInFolder(TypeDefinition type) => type.Namespace.StartsWith(project + ".", StringComparison.Ordinal);
}
