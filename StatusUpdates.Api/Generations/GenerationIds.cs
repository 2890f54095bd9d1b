using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.Generations;

internal static class GenerationIds
{
    private const int MaxLength = 100;

    /// <summary>Whether the database may be asked for it. What can be no id is not found, like an id that is nobody's.</summary>
    public static bool IsPossible(string id) => id.Length is > 0 and <= MaxLength && id.All(c => c is > ' ' and <= '~');

    /// <summary>The one answer for an id that is nobody's and one that is another user's.</summary>
    public static ProblemResult NotFound() => ProblemResult.NotFound("There is no such generation.");
}
