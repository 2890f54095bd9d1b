using System.ComponentModel.DataAnnotations;

namespace StatusUpdates.Api.Security.DevTokens;

/// <summary>Requests a development token.</summary>
/// <param name="UserId">Any user: 1 to 255 characters.</param>
internal sealed record DevTokenRequest([property: Required] string? UserId);

/// <summary>Requests a development token for a worker.</summary>
/// <param name="Name">The worker's name: 1 to 255 characters; <c>worker</c> by default.</param>
/// <param name="Tasks">The tasks that it may claim, or <c>*</c> for all, which is the default.</param>
internal sealed record DevWorkerTokenRequest(string? Name, IReadOnlyList<string?>? Tasks);

/// <summary>A development token.</summary>
/// <param name="Token">The JWT.</param>
/// <param name="ExpiresAt">When it expires.</param>
internal sealed record DevToken(string Token, DateTimeOffset ExpiresAt);
