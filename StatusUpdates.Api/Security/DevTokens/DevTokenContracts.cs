using System.ComponentModel.DataAnnotations;

namespace StatusUpdates.Api.Security.DevTokens;

/// <summary>Requests a development token.</summary>
/// <param name="UserId">Any user: 1 to 255 characters.</param>
internal sealed record DevTokenRequest([property: Required] string? UserId);

/// <summary>A development token.</summary>
/// <param name="Token">The JWT.</param>
/// <param name="ExpiresAt">When it expires.</param>
internal sealed record DevToken(string Token, DateTimeOffset ExpiresAt);
