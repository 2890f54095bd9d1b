using System.Diagnostics;
using System.Net;
using Npgsql;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Which failures are transient; used by processors that have no rules of their own.</summary>
internal static class TransientFailures
{
    /// <summary>
    /// A provider's own exceptions state it by their type. Other exceptions that indicate bad input or a defect are permanent, because the same
    /// request would fail again: invalid arguments and formats, unsupported or missing things, HTTP client errors, content that Postgres
    /// refuses. Connection failures, time-outs and I/O errors are transient. So is everything unknown: the number of failures is limited, a
    /// second attempt costs a few seconds, and a failed generation is lost to its user.
    /// </summary>
    public static bool Contains(Exception failure) => failure switch
    {
        ProviderException => failure is TransientProviderException,
        AggregateException { InnerExceptions: [var first, ..] } => Contains(first),
        HttpRequestException { StatusCode: { } code } => IsTransient(code),
        ArgumentException or FormatException or NotSupportedException or NotImplementedException or UnreachableException => false,
        FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException => false,
        PostgresException { SqlState: var state } => !ContentStates.Contains(state[..2]),
        _ => true,
    };

    /// <summary>SQLSTATE classes with which Postgres refuses content: data exceptions, constraints, limits.</summary>
    public static IReadOnlyList<string> ContentStates { get; } = ["22", "23", "54"];

    // RFC 9110, section 15: 408 and 5xx, except for what the server does not implement; RFC 8470 (425), RFC 6585 (429).
    private static bool IsTransient(HttpStatusCode code) => code switch
    {
        HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or (HttpStatusCode)425 => true,
        HttpStatusCode.NotImplemented or HttpStatusCode.HttpVersionNotSupported => false,
        _ => (int)code >= 500,
    };
}
