using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.ResultStore;

/// <summary>
/// Where results are stored and served. Read by API, worker and bot, the same for all; <c>PublicBaseUrl</c> and <c>MaxBytes</c> by API and worker,
/// <c>AllowedNetworks</c> by the worker.
/// </summary>
public sealed class ResultsOptions : IValidatableObject
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Results";

    /// <summary>What is wrong with an address of the API.</summary>
    public const string BaseUrlError =
        "Results:PublicBaseUrl must be an absolute http or https address without query or fragment, at which clients reach the API, such as https://status.example.com.";

    /// <summary>The default address of the API in Development.</summary>
    public const string DevelopmentBaseUrl = "http://localhost:5080";

    /// <summary>
    /// The API's address as clients reach it; a result is at <c>{PublicBaseUrl}/results/{id}</c>. Required, because broken links would stay in the log
    /// forever.
    /// </summary>
    /// <value>required; in Development <c>http://localhost:5080</c></value>
    [HttpUrl(ErrorMessage = BaseUrlError)]
    public string PublicBaseUrl { get; set; } = "";

    /// <summary>
    /// The folder for results larger than 256 KiB; smaller ones are in the database. An absolute path that leads API, workers and bot to the same
    /// folder: on one machine, on a shared volume, or on a network file system.
    /// </summary>
    /// <value>this or <c>S3</c> is required; in Development a folder of the current user</value>
    public string? Folder { get; set; }

    /// <summary>Storage that speaks S3, instead of a folder.</summary>
    public S3Options S3 { get; set; } = new();

    /// <summary>The largest result, in bytes. A generation with a larger one fails.</summary>
    [Range(typeof(long), "1048576", "10737418240")]
    public long MaxBytes { get; set; } = 512L * 1024 * 1024;

    /// <summary>
    /// Networks that are allowed although they are not public, in CIDR notation, when the worker copies a result from an address that a provider
    /// names.
    /// </summary>
    /// <value>none; loopback in Development</value>
    public string[] AllowedNetworks { get; set; } = [];

    /// <summary>How long the copy of a result from a provider's address may take, with all its repetitions.</summary>
    public TimeSpan DownloadTimeout { get; internal set; } = TimeSpan.FromMinutes(10);

    /// <summary>The address of the stored result with this id.</summary>
    public string UrlOf(string id) => $"{PublicBaseUrl.TrimEnd('/')}/results/{id}";

    /// <summary>Whether results go to storage that speaks S3.</summary>
    internal bool UsesS3 => !string.IsNullOrEmpty(S3.Bucket);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. PlaceErrors().Select(error => new ValidationResult(error)),
        .. S3.Errors().Select(error => new ValidationResult(error)),
        .. SectionOptions.InvalidEntries(
            $"{SectionName}:{nameof(AllowedNetworks)}",
            AllowedNetworks,
            text => IPNetwork.TryParse(text, out _),
            "a network in CIDR notation, such as 10.1.0.0/16."),
    ];

    private IEnumerable<string> PlaceErrors()
    {
        if (string.IsNullOrEmpty(Folder) && !UsesS3 && S3.IsEmpty)
        {
            yield return "Results:Folder or Results:S3:Bucket must be set: the place of results larger than "
                + $"{GenerationResult.MaxInlineBytes / 1024} KiB, the same for API, worker and bot, such as /var/lib/status-updates/results.";
        }
        else if (!string.IsNullOrEmpty(Folder) && UsesS3)
        {
            yield return "Results:Folder and Results:S3:Bucket must not both be set: results are in one place.";
        }
        else if (!string.IsNullOrEmpty(Folder) && !Path.IsPathFullyQualified(Folder))
        {
            yield return "Results:Folder must be an absolute path, such as /var/lib/status-updates/results: services start in different folders.";
        }
    }
}

/// <summary>A bucket of Amazon S3, or of a server that speaks its protocol.</summary>
public sealed class S3Options
{
    private const string DefaultRegion = "us-east-1";

    /// <summary>The bucket. It must exist, and be for the results alone.</summary>
    public string? Bucket { get; set; }

    /// <summary>The server's address, such as <c>https://minio.example.com:9000</c>; not set for Amazon. The bucket is part of the path.</summary>
    public string? Endpoint { get; set; }

    /// <summary>The region, such as <c>eu-central-1</c>.</summary>
    /// <value>required for Amazon, otherwise <c>us-east-1</c></value>
    public string? Region { get; set; }

    /// <summary>The access key's id. Without it, the credentials of the environment: variables, files, or the machine's or container's role.</summary>
    public string? AccessKey { get; set; }

    /// <summary>The access key's secret.</summary>
    public string? SecretKey { get; set; }

    /// <summary>The region that requests are signed for.</summary>
    internal string SigningRegion => string.IsNullOrEmpty(Region) ? DefaultRegion : Region;

    internal bool IsEmpty => string.IsNullOrEmpty(Bucket + Endpoint + Region + AccessKey + SecretKey);

    internal IEnumerable<string> Errors()
    {
        if (IsEmpty)
        {
            yield break;
        }

        if (string.IsNullOrEmpty(Bucket))
        {
            yield return "Results:S3:Bucket must be set, because other settings of Results:S3 are: the name of the bucket.";
        }

        if (!string.IsNullOrEmpty(Endpoint) && !IsAddress(Endpoint))
        {
            yield return "Results:S3:Endpoint must be an absolute http or https address without a path, such as https://minio.example.com:9000.";
        }

        if (string.IsNullOrEmpty(Endpoint) && string.IsNullOrEmpty(Region))
        {
            yield return "Results:S3:Region must be set, such as eu-central-1, or Results:S3:Endpoint if the bucket is not at Amazon.";
        }

        if (string.IsNullOrEmpty(AccessKey) != string.IsNullOrEmpty(SecretKey))
        {
            yield return "Results:S3:AccessKey and Results:S3:SecretKey must be set together, or neither: then the environment's credentials are used.";
        }
    }

    private static bool IsAddress(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url)
        && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps)
        && url is { AbsolutePath: "/", Query: "", Fragment: "", UserInfo: "" };
}

[AttributeUsage(AttributeTargets.Property)]
internal sealed class HttpUrlAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) =>
        value is "" or null
        || (value is string text
            && Uri.TryCreate(text, UriKind.Absolute, out var url)
            && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps)
            && url is { Query: "", Fragment: "", UserInfo: "" });
}

[OptionsValidator]
internal sealed partial class ResultsOptionsValidator : IValidateOptions<ResultsOptions>;
