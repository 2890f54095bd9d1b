using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Api.Hosting;

/// <summary>Settings of plain requests (streams have none); configuration section <c>Requests</c>.</summary>
internal sealed class RequestOptions
{
    public const string SectionName = "Requests";

    /// <summary>How long a request may take before it is answered with 503. Default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);
}

[OptionsValidator]
internal sealed partial class RequestOptionsValidator : IValidateOptions<RequestOptions>;
