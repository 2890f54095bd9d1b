using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Security.DevTokens;

/// <summary>Settings of development tokens; configuration section <c>DevToken</c>.</summary>
internal sealed class DevTokenOptions
{
    public const string SectionName = "DevToken";

    /// <summary>How long a token holds. Default 12 hours.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromHours(12);
}

[OptionsValidator]
internal sealed partial class DevTokenOptionsValidator : IValidateOptions<DevTokenOptions>;
