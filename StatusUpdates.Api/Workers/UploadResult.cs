using System.Buffers;
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
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;

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
            return ProblemResult.Invalid("Content-Type", $"Must be {task.MakesText}: that is what the task {state.Task} makes.");
        }

        if (await ReadAsync(http, cancellationToken) is not { } content)
        {
            return new ProblemResult(ProblemCodes.BodyTooLarge, $"A result may have {GenerationResult.MaxBytes} bytes.");
        }

        if (content.Length == 0)
        {
            return ProblemResult.Invalid(JsonErrors.Body, "Must not be empty: it is the content of the result.");
        }

        var url = options.Value.UrlOf(await store.SaveAsync(id, http.Request.ContentType!, content, cancellationToken));
        return TypedResults.Created(url, new Success<UploadView>(new(url)));
    }

    // Null if it is over the limit.
    private static async Task<byte[]?> ReadAsync(HttpContext http, CancellationToken cancellationToken)
    {
        if (http.Request.ContentLength > GenerationResult.MaxBytes)
        {
            return null;
        }

        using var content = new MemoryStream((int?)http.Request.ContentLength ?? 0);
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            while (await http.Request.Body.ReadAsync(buffer, cancellationToken) is > 0 and var count)
            {
                if (content.Length + count > GenerationResult.MaxBytes)
                {
                    return null;
                }

                content.Write(buffer, 0, count);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return content.ToArray();
    }
}
