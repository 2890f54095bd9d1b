using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Generations;

/// <summary>How many generations one user may have. Read by the API.</summary>
internal sealed class SubmissionOptions
{
    public const string SectionName = "Submissions";

    /// <summary>The maximum number of pending ones; beyond it a submission is answered 429.</summary>
    [Range(1, 10_000_000)]
    public long MaxPending { get; set; } = 1_000;

    /// <summary>The maximum number of stored ones of any status, until retention deletes them; beyond it a submission is answered 403.</summary>
    [Range(1, 1_000_000_000)]
    public long MaxStored { get; set; } = 100_000;
}

[OptionsValidator]
internal sealed partial class SubmissionOptionsValidator : IValidateOptions<SubmissionOptions>;
