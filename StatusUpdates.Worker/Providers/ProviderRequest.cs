using System.Text.Json;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.Worker.Providers;

/// <summary>What a provider is asked for.</summary>
public sealed record ProviderRequest
{
    /// <summary>The generation; fit to be a service's idempotency key, together with <see cref="Attempt"/>.</summary>
    public required string GenerationId { get; init; }

    /// <summary>What to make.</summary>
    public required GenerationTask Task { get; init; }

    /// <summary>Which try this is, from 1.</summary>
    public required int Attempt { get; init; }

    /// <summary>The user's text.</summary>
    public required string Prompt { get; init; }

    /// <summary>The user's options: a JSON object, empty if there were none.</summary>
    public required JsonElement Options { get; init; }

    /// <summary>Where chance begins: made of the prompt and the option <c>seed</c>, so that the same request gives the same result.</summary>
    public required ulong Seed { get; init; }
}
