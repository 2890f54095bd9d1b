using System.Diagnostics.CodeAnalysis;
using StatusUpdates.Data.Log;

namespace StatusUpdates.Api.Security;

/// <summary>What can be a user: 1 to 255 UTF-16 characters that Postgres and Redis can both hold.</summary>
internal static class UserIds
{
    public const int MaxLength = 255;

    public static bool IsValid([NotNullWhen(true)] string? userId) =>
        userId is { Length: > 0 and <= MaxLength } && ProviderText.IsClean(userId);
}
