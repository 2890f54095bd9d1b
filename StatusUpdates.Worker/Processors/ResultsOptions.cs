using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Worker.Processors;

/// <summary>Where stored results are served; configuration section <c>Results</c>.</summary>
internal sealed class ResultsOptions
{
    public const string SectionName = "Results";

    /// <summary>
    /// The API's address as clients reach it; a result is at <c>{PublicBaseUrl}/results/{id}</c>. Required: links that lead nowhere are in the log
    /// for good. In Development http://localhost:5080 by default.
    /// </summary>
    [Required(ErrorMessage = BaseUrlError)]
    [HttpUrl(ErrorMessage = BaseUrlError)]
    public string PublicBaseUrl { get; set; } = "";

    /// <summary>What holds in Development where nothing else is said.</summary>
    public const string DevelopmentBaseUrl = "http://localhost:5080";

    private const string BaseUrlError =
        "Results:PublicBaseUrl must be an absolute http or https address without query or fragment, at which clients reach the API, such as https://status.example.com.";
}

[AttributeUsage(AttributeTargets.Property)]
internal sealed class HttpUrlAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) =>
        value is string text
        && Uri.TryCreate(text, UriKind.Absolute, out var url)
        && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps)
        && url is { Query: "", Fragment: "", UserInfo: "" };
}

[OptionsValidator]
internal sealed partial class ResultsOptionsValidator : IValidateOptions<ResultsOptions>;
