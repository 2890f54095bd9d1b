using Npgsql;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.ResultStore.Contents;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>
/// The message for the user when a generation failed. Only a provider's own exceptions are written for users; the message of any other
/// exception may contain hosts, paths or SQL, and is only logged.
/// </summary>
internal static class FailureMessage
{
    public static string Of(Exception failure) => failure switch
    {
        AggregateException { InnerExceptions: [var first, ..] } => Of(first),
        ProviderException when string.IsNullOrWhiteSpace(failure.Message) => QueueMessages.NoMessage,
        ProviderException => ProviderText.Clean(failure.Message, ProviderText.MaxErrorLength)!,

        // Not canceled by this attempt's token: then the attempt would be stopped, not failed.
        OperationCanceledException or TimeoutException => "The provider timed out.",
        HttpRequestException { StatusCode: { } code } => $"The provider's service answered {(int)code}.",
        HttpRequestException => "The provider's service could not be reached.",
        NpgsqlException or ContentStoreException => "The result could not be stored.",
        _ => "The provider failed unexpectedly.",
    };
}
