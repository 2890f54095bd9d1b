using Npgsql;
using StatusUpdates.Data.Log;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>
/// What the user reads when a generation failed. Only a provider's own exceptions are written for users; the message of any other one may
/// name hosts, paths or SQL, and stands in the log alone.
/// </summary>
internal static class FailureMessage
{
    public static string Of(Exception failure) => failure switch
    {
        AggregateException { InnerExceptions: [var first, ..] } => Of(first),
        ProviderException when string.IsNullOrWhiteSpace(failure.Message) => "The provider failed without a message.",
        ProviderException => ProviderText.Clean(failure.Message, ProviderText.MaxErrorLength)!,

        // Not this attempt's token: then it would have been stopped, not failed.
        OperationCanceledException or TimeoutException => "The provider gave up waiting.",
        HttpRequestException { StatusCode: { } code } => $"The provider's service answered {(int)code}.",
        HttpRequestException => "The provider's service could not be reached.",
        NpgsqlException => "The result could not be stored.",
        _ => "The provider failed unexpectedly.",
    };
}
