using System.Diagnostics.CodeAnalysis;
using StatusUpdates.Data.Log;

namespace StatusUpdates.Api.Security;

/// <summary>Valid user ids: 1 to 255 UTF-16 code units that Postgres and Redis can both store.</summary>
internal static class UserIds
{
    public const int MaxLength = 255;

    public static bool IsValid([NotNullWhen(true)] string? userId) =>
        userId is { Length: > 0 and <= MaxLength } && ProviderText.IsClean(userId);
}
