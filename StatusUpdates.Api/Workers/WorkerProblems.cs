using Microsoft.AspNetCore.Http.HttpResults;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Json;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Workers;

/// <summary>The problems that workers get.</summary>
internal static class WorkerProblems
{
    public static ProblemResult StaleAttempt() => new(
        ProblemCodes.StaleAttempt, "This worker does not hold the generation as this attempt: its lease has ended, or never was this worker's. Stop it.");

    public static ProblemResult Terminal(GenerationStatus? status) => new(
        ProblemCodes.GenerationTerminal, $"The generation is already {status?.ToWireName() ?? "over"}. Stop it.");

    public static ProblemResult DeadlinePassed() => new(ProblemCodes.DeadlinePassed, $"{QueueMessages.DeadlinePassed} It has failed.");

    public static ProblemResult TooManyWaiting() => new(
        ProblemCodes.TooManyConnections, "Too many requests of workers wait on this instance; try again.")
    {
        RetryAfter = TimeSpan.FromSeconds(5),
    };

    /// <summary>What became of a generation, or why it did not.</summary>
    public static Results<Ok<Success<OutcomeView>>, ProblemResult> Answer(this AppendResult result) => result switch
    {
        { Update: { } update } => TypedResults.Ok(new Success<OutcomeView>(OutcomeView.Of(update))),
        { Refusal: RefusalReason.NotFound } => GenerationIds.NotFound(),
        { Refusal: RefusalReason.Terminal } => Terminal(result.CurrentStatus),
        _ => StaleAttempt(),
    };
}
