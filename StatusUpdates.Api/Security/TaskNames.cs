using System.Text.RegularExpressions;

namespace StatusUpdates.Api.Security;

/// <summary>Well-formed names of tasks, whether or not there are such tasks.</summary>
internal static partial class TaskNames
{
    /// <summary>The form of a name.</summary>
    public const string Pattern = "^[a-z][a-z0-9_]{0,63}$";

    /// <summary>How many names a list may have.</summary>
    public const int MaxCount = 64;

    public static bool IsWellFormed(string name) => Form().IsMatch(name);

    // The end is \z, not $, which also accepts a final line break.
    [GeneratedRegex(@"^[a-z][a-z0-9_]{0,63}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
