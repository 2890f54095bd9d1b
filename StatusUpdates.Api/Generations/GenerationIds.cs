using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.Generations;

internal static class GenerationIds
{
    private const int MaxLength = 100;

    /// <summary>Whether the text can be an id. If not, it is not looked up, and the response is the same as for an unknown id.</summary>
    public static bool IsWellFormed(string id) => id.Length is > 0 and <= MaxLength && id.All(c => c is > ' ' and <= '~');

    /// <summary>The same response for an unknown id and for another user's.</summary>
    public static ProblemResult NotFound() => ProblemResult.NotFound("There is no such generation.");
}
