using System.Security.Claims;

namespace StatusUpdates.Api.Security;

/// <summary>
/// What a token says of a worker: the scope <c>worker</c> (RFC 8693, section 4.2; RFC 9068, section 2.2.3), and the tasks that it may claim. Such a
/// token is no user's: it opens what workers may do, and nothing else.
/// </summary>
internal static class WorkerToken
{
    /// <summary>The scope, and the name of the authorization policy that requires it.</summary>
    public const string Scope = "worker";

    /// <summary>The claim with the tasks: a list of names, or a text with names separated by spaces.</summary>
    public const string Tasks = "tasks";

    /// <summary>How many tasks a list may have.</summary>
    public const int MaxTasks = 64;

    /// <summary>All tasks that are registered.</summary>
    public const string AnyTask = "*";

    /// <summary>Whether it is a worker's token.</summary>
    public static bool Is(ClaimsIdentity? claims) => claims is not null && Words(claims, "scope").Contains(Scope, StringComparer.Ordinal);

    /// <inheritdoc cref="Is(ClaimsIdentity?)"/>
    public static bool Is(ClaimsPrincipal principal) => Is(principal.Identity as ClaimsIdentity);

    /// <summary>The tasks that the caller may claim; none if the token does not say.</summary>
    public static IReadOnlyList<string> TasksOf(ClaimsPrincipal principal) =>
        principal.Identity is ClaimsIdentity claims ? [.. Words(claims, Tasks)] : [];

    // A list in a token appears as several claims.
    private static IEnumerable<string> Words(ClaimsIdentity claims, string type) =>
        claims.FindAll(type).SelectMany(claim => claim.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
