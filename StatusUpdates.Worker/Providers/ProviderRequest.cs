using System.Text.Json;

namespace StatusUpdates.Worker.Providers;

/// <summary>A request to a provider.</summary>
public sealed record ProviderRequest
{
    /// <summary>The generation's id; together with <see cref="Attempt"/> suitable as an idempotency key for a service.</summary>
    public required string GenerationId { get; init; }

    /// <summary>The name of the task: what to create.</summary>
    public required string Task { get; init; }

    /// <summary>The number of the attempt, from 1.</summary>
    public required int Attempt { get; init; }

    /// <summary>The user's text.</summary>
    public required string Prompt { get; init; }

    /// <summary>The user's options: a JSON object, empty if there were none.</summary>
    public required JsonElement Options { get; init; }

    /// <summary>The random seed, computed from the prompt and the option <c>seed</c>: the same request gives the same result.</summary>
    public required ulong Seed { get; init; }
}
