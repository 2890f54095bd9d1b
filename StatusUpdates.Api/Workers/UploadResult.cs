using System.IO.Pipelines;
using System.Security.Claims;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Queries;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Results;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;
using StatusUpdates.ResultStore;
using StatusUpdates.ResultStore.Contents;

namespace StatusUpdates.Api.Workers;

/// <summary><c>POST /api/v1/worker/generations/{id}/results</c>.</summary>
internal static class UploadResult
{
    public static Parameter[] Query { get; } = [WorkerReader.WorkerId, WorkerReader.Attempt];

    public static async Task<Results<Created<Success<UploadView>>, ProblemResult>> HandleAsync(
        string id,
        HttpContext http,
        ClaimsPrincipal user,
        AttemptQueries attempts,
        GenerationResultStore store,
        GenerationTypes types,
        IOptions<ResultsOptions> options,
        CancellationToken cancellationToken)
    {
        // The limit is checked here, by what is read. What is not read when the answer is sent is skipped by the server, for a while, and not cut off: a
        // client that is still sending would not read the answer.
        http.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;

        var query = new QueryReader(http.Request);
        var workerId = query.Read(WorkerReader.WorkerId);
        var attempt = query.Read(WorkerReader.Attempt);
        foreach (var missing in Query.Where(parameter => !query.Has(parameter)))
        {
            query.Errors.Add(missing.Name, "Is required, in the query.");
        }

        if (!ResultRules.IsMediaType(http.Request.ContentType))
        {
            query.Errors.Add("Content-Type", "Must be the media type of the content, such as image/png.");
        }

        if (!query.Errors.IsEmpty)
        {
            return ProblemResult.Invalid(query.Errors);
        }

        // Before the content is read: nothing is stored for an attempt that is over.
        if (!GenerationIds.IsWellFormed(id) || await attempts.FindAsync(id, cancellationToken) is not { } state)
        {
            return GenerationIds.NotFound();
        }

        if (!state.IsHeldBy(WorkerReader.OwnerOf(workerId!, user), attempt))
        {
            return state.Status.IsTerminal() ? WorkerProblems.Terminal(state.Status) : WorkerProblems.StaleAttempt();
        }

        if (types.FindTask(state.Task) is { } task && !task.Accepts(http.Request.ContentType!))
        {
            return ProblemResult.Invalid("Content-Type", $"Must be {task.DescribeResults()}: that is what the task {state.Task} makes.");
        }

        if (http.Request.ContentLength > options.Value.MaxBytes)
        {
            return TooLarge(options.Value);
        }

        if (await IsEmptyAsync(http.Request.BodyReader, cancellationToken))
        {
            return ProblemResult.Invalid(JsonErrors.Body, "Must not be empty: it is the content of the result.");
        }

        try
        {
            var resultId = await store.SaveAsync(
                id, http.Request.ContentType!, http.Request.BodyReader.AsStream(leaveOpen: true), cancellationToken: cancellationToken);
            var url = options.Value.UrlOf(resultId);
            return TypedResults.Created(url, new Success<UploadView>(new(url)));
        }
        catch (ContentTooLargeException)
        {
            return TooLarge(options.Value);
        }
    }

    private static ProblemResult TooLarge(ResultsOptions options) => new(ProblemCodes.BodyTooLarge, $"A result may have {options.MaxBytes} bytes.");

    /// <summary>Waits for the first bytes, and leaves them to be read.</summary>
    private static async Task<bool> IsEmptyAsync(PipeReader body, CancellationToken cancellationToken)
    {
        var read = await body.ReadAsync(cancellationToken);
        body.AdvanceTo(read.Buffer.Start);
        return read.Buffer.IsEmpty;
    }
}
