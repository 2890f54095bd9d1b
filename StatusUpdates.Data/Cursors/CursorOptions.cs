using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Data.Cursors;

/// <summary>Settings of durable cursors in one process; configuration section <c>Cursors</c>.</summary>
public sealed class CursorOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Cursors";

    /// <summary>How many cursors of a service are worked on at once. Default 256: most of them wait for somebody's answer.</summary>
    [Range(1, 10_000)]
    public int Slots { get; set; } = 256;

    /// <summary>How many cursors whose telling fails at present are worked on at once, beside the others: they keep nobody waiting. Default 64.</summary>
    [Range(1, 10_000)]
    public int TroubledSlots { get; set; } = 64;

    /// <summary>How long after its holder's death a cursor is free again. Renewed every third of it. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How often the cursors are compared with their logs, whatever Redis said. Default 2 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:01:00")]
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromSeconds(2);
}

[OptionsValidator]
internal sealed partial class CursorOptionsValidator : IValidateOptions<CursorOptions>;
