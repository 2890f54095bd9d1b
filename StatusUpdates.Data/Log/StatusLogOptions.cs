using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Data.Log;

/// <summary>Settings of the group commit; configuration section <c>StatusLog</c>.</summary>
public sealed class StatusLogOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "StatusLog";

    /// <summary>
    /// How many transactions of this process run side by side at most, each on a connection of its own. A user's updates are all in one
    /// lane. Default 4.
    /// </summary>
    [Range(1, 64)]
    public int Lanes { get; set; } = 4;

    /// <summary>How many updates share a transaction at most. Default 256.</summary>
    [Range(1, 1000)]
    public int MaxBatch { get; set; } = 256;
}

[OptionsValidator]
internal sealed partial class StatusLogOptionsValidator : IValidateOptions<StatusLogOptions>;
