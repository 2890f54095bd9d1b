using System.Diagnostics;
using System.Net;
using Npgsql;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>Which failures may pass: what processors go by unless they know better.</summary>
internal static class TransientFailures
{
    /// <summary>
    /// A provider's own exceptions say it themselves. Of others, what tells of bad input or of a defect is permanent, because the same
    /// request would meet it again: arguments, formats, what is not supported or not there, a client error of HTTP, content that Postgres
    /// refuses. Connections, time-outs and input/output are transient. So is what nobody knows: the number of failures is limited, a
    /// second try costs a few seconds, and a generation that failed is lost to its user.
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

    /// <summary>Classes of SQLSTATE with which Postgres refuses content: data exceptions, constraints, limits.</summary>
    public static IReadOnlyList<string> ContentStates { get; } = ["22", "23", "54"];

    // RFC 9110, section 15: 408 and 5xx without what will never be implemented; RFC 8470 (425), RFC 6585 (429).
    private static bool IsTransient(HttpStatusCode code) => code switch
    {
        HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or (HttpStatusCode)425 => true,
        HttpStatusCode.NotImplemented or HttpStatusCode.HttpVersionNotSupported => false,
        _ => (int)code >= 500,
    };
}
