using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Generations;

/// <summary>How many generations one user may have; configuration section <c>Submissions</c>.</summary>
internal sealed class SubmissionOptions
{
    public const string SectionName = "Submissions";

    /// <summary>How many may be pending at once. Default 1,000.</summary>
    [Range(1, 10_000_000)]
    public long MaxPending { get; set; } = 1_000;

    /// <summary>How many may be stored, whatever their status: until retention deletes them. Default 100,000.</summary>
    [Range(1, 1_000_000_000)]
    public long MaxStored { get; set; } = 100_000;
}

[OptionsValidator]
internal sealed partial class SubmissionOptionsValidator : IValidateOptions<SubmissionOptions>;
