using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Data.Log;

/// <summary>The group commit of updates. Matters to workers, which append most of them.</summary>
public sealed class StatusLogOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "StatusLog";

    /// <summary>How many transactions a process appends in at once, each on its own connection. All updates of a user go through one lane.</summary>
    [Range(1, 64)]
    public int Lanes { get; set; } = 4;

    /// <summary>The maximum number of updates in one transaction: beyond that a statement takes longer without more updates a second.</summary>
    public int MaxBatch { get; internal set; } = 256;
}

[OptionsValidator]
internal sealed partial class StatusLogOptionsValidator : IValidateOptions<StatusLogOptions>;
