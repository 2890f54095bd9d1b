using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Data.Cursors;

/// <summary>Durable cursors: the webhooks of a worker, the chats of a bot.</summary>
public sealed class CursorOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Cursors";

    /// <summary>How many cursors a process works on at once. Most of them wait for a receiver's answer.</summary>
    [Range(1, 10_000)]
    public int Slots { get; set; } = 256;

    /// <summary>Additional slots for cursors whose deliveries currently fail; they take none from the others.</summary>
    public int TroubledSlots { get; internal set; } = 64;

    /// <summary>How long a claim lasts without renewal: then a dead holder's cursor is free. Renewed after a third of it.</summary>
    public TimeSpan Lease { get; internal set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often the cursors are compared with their logs, independently of Redis hints: how late a delivery is without Redis.</summary>
    public TimeSpan SweepInterval { get; internal set; } = TimeSpan.FromSeconds(2);
}

[OptionsValidator]
internal sealed partial class CursorOptionsValidator : IValidateOptions<CursorOptions>;
