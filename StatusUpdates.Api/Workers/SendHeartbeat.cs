using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Json;

namespace StatusUpdates.Api.Workers;

/// <summary><c>POST /api/v1/worker/heartbeat</c>.</summary>
internal static class SendHeartbeat
{
    public static async Task<IResult> HandleAsync(
        HeartbeatBody body, HttpContext http, HeartbeatDesk desk, WorkerHints hints, WorkerMetrics metrics)
    {
        var errors = new FieldErrors();
        if (WorkerReader.Read(body, http.User, errors) is not { } beat)
        {
            return ProblemResult.Invalid(errors);
        }

        using var waiting = metrics.TryWait(http);
        if (waiting is null)
        {
            return WorkerProblems.TooManyWaiting();
        }

        hints.Use();
        var answer = await desk.BeatAsync(beat, http.RequestAborted);
        metrics.Lost(answer.Lost.Count);
        return TypedResults.Ok(new Success<HeartbeatView>(answer));
    }
}
