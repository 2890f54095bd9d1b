using System.Text.Json;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Types;

namespace StatusUpdates.Api.Workers;

/// <summary><c>POST /api/v1/worker/claim</c>.</summary>
internal static class ClaimGenerations
{
    // Of the slots of a worker, so that the next user finds one at once instead of waiting for a long job to end.
    private const double UserShare = 0.75;

    private static readonly JsonElement NoOptions = JsonDocument.Parse("{}").RootElement;

    public static async Task<IResult> HandleAsync(
        ClaimBody body,
        HttpContext http,
        ClaimDesk desk,
        AttemptQueries queries,
        AttemptOptions attempts,
        GenerationTypes types,
        WorkerHints hints,
        WorkerMetrics metrics,
        TimeProvider time)
    {
        var errors = new FieldErrors();
        if (WorkerReader.Read(body, http.User, errors) is not { } claim)
        {
            return ProblemResult.Invalid(errors);
        }

        if (Refuse(claim.Tasks, WorkerToken.TasksOf(http.User), types) is { } refusal)
        {
            return refusal;
        }

        using var waiting = metrics.TryWait(http);
        if (waiting is null)
        {
            return WorkerProblems.TooManyWaiting();
        }

        hints.Use();
        var held = claim.Running.Count == 0 ? [] : await queries.FindHeldAsync(claim.Owner, [.. claim.Running.Select(r => r.Id)], http.RequestAborted);
        var claimed = await desk.ClaimAsync(RequestOf(claim, held, attempts), claim.Wait, http.RequestAborted);
        await AnswerAsync(http, claimed, claim, attempts, time);
        if (http.RequestAborted.IsCancellationRequested)
        {
            await desk.HandBackAsync(claim.Owner, claimed);
        }

        return TypedResults.Empty;
    }

    // A task that is not registered here may be registered elsewhere, or have been registered once: for those that the token names.
    private static ProblemResult? Refuse(IReadOnlyList<string> tasks, IReadOnlyList<string> allowed, GenerationTypes types)
    {
        foreach (var task in tasks.Except(allowed, StringComparer.Ordinal))
        {
            if (!allowed.Contains(WorkerToken.AnyTask))
            {
                return new ProblemResult(
                    ProblemCodes.Forbidden,
                    $"The token does not allow the task {task}. Its claim \"{WorkerToken.Tasks}\" allows: {(allowed.Count > 0 ? string.Join(", ", allowed) : "none")}.");
            }

            if (types.FindTask(task) is null)
            {
                return ProblemResult.Invalid("tasks", $"There is no task {task}. Registered are: {string.Join(", ", types.TaskNames)}.");
            }
        }

        return null;
    }

    private static ClaimRequest RequestOf(WorkerClaim claim, IReadOnlyList<HeldGeneration> held, AttemptOptions attempts)
    {
        var limits = claim.FreeOf.Where(limit => limit.Value < claim.Free).ToDictionary(
            limit => limit.Key, limit => new TaskLimit(limit.Value, ShareOf(limit.Value + held.Count(h => h.Task == limit.Key))), StringComparer.Ordinal);
        return new ClaimRequest
        {
            Owner = claim.Owner,
            Tasks = [.. claim.Tasks.Where(task => !limits.TryGetValue(task, out var limit) || limit.Free > 0)],
            Limit = claim.Free,
            TaskLimits = limits,
            UserLimit = ShareOf(claim.Free + held.Count),
            Held = [.. held.CountBy(h => (h.UserId, h.Task)).Select(h => new HeldJobs(h.Key.UserId, h.Key.Task, h.Value))],
            Lease = claim.Lease,
            MaxFailures = attempts.MaxFailures,
        };
    }

    private static int ShareOf(int slots) => Math.Max(1, (int)(slots * UserShare));

    // Ends when the answer has been handed to the network, or the client has disconnected.
    private static async Task AnswerAsync(
        HttpContext http, IReadOnlyList<ClaimedGeneration> claimed, WorkerClaim claim, AttemptOptions attempts, TimeProvider time)
    {
        // The leases have begun a moment ago; the clock is this machine's.
        var expiresAt = time.GetUtcNow() + claim.Lease;
        var leases = claimed.Select(generation => ViewOf(generation, expiresAt, attempts.Timeout));
        try
        {
            await TypedResults.Ok(new Success<ClaimView>(new([.. leases]))).ExecuteAsync(http);
            await http.Response.CompleteAsync();
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // Disconnected: the caller hands back what was claimed.
            http.Abort();
        }
    }

    private static LeaseView ViewOf(ClaimedGeneration generation, DateTimeOffset expiresAt, TimeSpan limit) => new()
    {
        Id = generation.Id,
        Attempt = generation.Attempt,
        Failures = generation.Failures,
        UserId = generation.UserId,
        Type = generation.Type,
        Task = generation.Task,
        Prompt = generation.Prompt,
        Options = generation.Options is { } options ? JsonDocument.Parse(options).RootElement : NoOptions,
        Deadline = generation.Deadline,
        SecondsLeft = (generation.TimeLeft < limit ? generation.TimeLeft.Value : limit).TotalSeconds,
        LeaseExpiresAt = expiresAt,
        TraceParent = generation.TraceParent,
    };
}
