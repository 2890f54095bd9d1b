using System.Text.Json.Serialization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// What a guard runs. Passed over the guard's standard input or in a file that only its owner can read, because it may contain secrets, which
/// command-line arguments would expose to all users.
/// </summary>
internal sealed record GuardSpec
{
    public required string FileName { get; init; }

    public required IReadOnlyList<string> Arguments { get; init; }

    public string? WorkingDirectory { get; init; }

    /// <summary>The account to run as; null for the guard's own.</summary>
    public string? UserName { get; init; }

    /// <summary>The file that holds the <see cref="GuardState"/> while the child runs; null for none.</summary>
    public string? StateFile { get; init; }

    /// <summary>The folder that the guard deletes if the parent dies and can no longer do so itself; null for none.</summary>
    public string? TemporaryDirectory { get; init; }

    /// <summary>The guard stops the child when this process is gone. Null: when standard input is closed.</summary>
    public ProcessIdentity? Owner { get; init; }

    /// <summary>Tried in order, then SIGKILL for the whole tree.</summary>
    public required IReadOnlyList<StopStep> StopSteps { get; init; }
}

/// <summary>One attempt to stop a process.</summary>
/// <param name="Signal">The signal's number.</param>
/// <param name="Patience">How long to wait for the process to exit.</param>
internal sealed record StopStep(int Signal, TimeSpan Patience);

/// <summary>The running processes: a guard and its child.</summary>
internal sealed record GuardState(ProcessIdentity Guard, ProcessIdentity Child);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(GuardSpec))]
[JsonSerializable(typeof(GuardState))]
internal sealed partial class GuardJson : JsonSerializerContext;
