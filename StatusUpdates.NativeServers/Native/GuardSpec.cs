using System.Text.Json.Serialization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// What a guard runs. It travels over the guard's standard input or in a file that only its owner can read, because it may hold secrets
/// that arguments would show to everybody.
/// </summary>
internal sealed record GuardSpec
{
    public required string FileName { get; init; }

    public required IReadOnlyList<string> Arguments { get; init; }

    public string? WorkingDirectory { get; init; }

    /// <summary>The account to run as; null for our own.</summary>
    public string? UserName { get; init; }

    /// <summary>Set in addition to the guard's own environment; null removes a variable.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    /// <summary>Where the guard writes its <see cref="GuardState"/> while the child runs; null for nowhere.</summary>
    public string? StateFile { get; init; }

    /// <summary>Deleted by the guard if the parent dies, for then nobody else will; null for nothing.</summary>
    public string? TemporaryDirectory { get; init; }

    /// <summary>The process that wants the child; the guard stops the child when it is gone. Null: the end of standard input says so.</summary>
    public ProcessIdentity? Owner { get; init; }

    /// <summary>Tried in order, then SIGKILL for the whole tree.</summary>
    public required IReadOnlyList<StopStep> StopSteps { get; init; }
}

/// <summary>One attempt to stop a process.</summary>
/// <param name="Signal">The signal's number.</param>
/// <param name="Patience">How long to wait for the process to end after it.</param>
internal sealed record StopStep(int Signal, TimeSpan Patience);

/// <summary>Who runs: the guard and its child.</summary>
internal sealed record GuardState(ProcessIdentity Guard, ProcessIdentity Child);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(GuardSpec))]
[JsonSerializable(typeof(GuardState))]
internal sealed partial class GuardJson : JsonSerializerContext;
