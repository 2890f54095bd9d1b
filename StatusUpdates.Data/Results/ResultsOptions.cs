using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Data.Results;

/// <summary>Where stored results are served. Read by worker and API, the same for both.</summary>
public sealed class ResultsOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Results";

    /// <summary>
    /// The API's address as clients reach it; a result is at <c>{PublicBaseUrl}/results/{id}</c>. Required, because broken links would stay in the log
    /// forever.
    /// </summary>
    /// <value>required; in Development <c>http://localhost:5080</c></value>
    [Required(ErrorMessage = BaseUrlError)]
    [HttpUrl(ErrorMessage = BaseUrlError)]
    public string PublicBaseUrl { get; set; } = "";

    /// <summary>The default in Development.</summary>
    public const string DevelopmentBaseUrl = "http://localhost:5080";

    private const string BaseUrlError =
        "Results:PublicBaseUrl must be an absolute http or https address without query or fragment, at which clients reach the API, such as https://status.example.com.";

    /// <summary>The address of the stored result with this id.</summary>
    public string UrlOf(string id) => $"{PublicBaseUrl.TrimEnd('/')}/results/{id}";
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
