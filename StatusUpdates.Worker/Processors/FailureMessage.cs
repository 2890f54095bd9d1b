using Npgsql;
using StatusUpdates.Data.Log;

namespace StatusUpdates.Worker.Processors;

/// <summary>What the user reads when a generation failed: the exception's message, mended and bounded, never its stack or our SQL.</summary>
internal static class FailureMessage
{
    public static string Of(Exception failure) => failure switch
    {
        AggregateException { InnerExceptions: [var first, ..] } => Of(first),

        // Not this attempt's token: then it would have been stopped, not failed.
        OperationCanceledException => "The provider gave up waiting.",
        NpgsqlException => "The result could not be stored.",
        _ when string.IsNullOrWhiteSpace(failure.Message) => "The provider failed without a message.",
        _ => ProviderText.Clean(failure.Message, ProviderText.MaxErrorLength)!,
    };
}
