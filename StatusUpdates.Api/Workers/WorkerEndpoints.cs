using Microsoft.Extensions.Options;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Hosting;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;

namespace StatusUpdates.Api.Workers;

/// <summary><c>/api/v1/worker</c>: workers in any language, by docs/worker-protocol.md. They need a worker's token.</summary>
internal static class WorkerEndpoints
{
    private const string Tag = "Workers";

    public static void AddRemoteWorkers(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<WorkerProtocolOptions>();
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<WorkerProtocolOptions>>().Value);
        services.AddSingleton<WorkerMetrics>();
        services.AddSingleton<ClaimDesk>();
        services.AddSingleton<StopHints>();
        services.AddSingleton<HeartbeatDesk>();
        services.AddSingleton<AttemptOutcomes>();
        services.AddSingleton<WorkerHints>();
        services.AddHostedService(provider => provider.GetRequiredService<WorkerHints>());
    }

    public static void MapRemoteWorkers(this WebApplication app)
    {
        MapWaiting(app);
        var group = app.MapGroup("/api/v1/worker/generations/{id}").ForWorkers().ProducesProblems(
            StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);

        // An upload takes as long as its worker takes to send it.
        group.MapPost("/results", UploadResult.HandleAsync)
            .Accepts<byte[]>("*/*")
            .WithName("UploadResult")
            .WithSummary("Stores a result of a generation")
            .WithDescription("The body is the content. The attempt is checked before it is read.")
            .DescribesParameters(UploadResult.Query)
            .ProducesProblems(StatusCodes.Status400BadRequest, StatusCodes.Status413PayloadTooLarge);

        var plain = group.MapGroup("").ProducesBodyProblems();
        plain.WithRequestTimeout(HttpDefaults.PlainRequest);
        plain.MapPost("/update", EndAttempt.UpdateAsync)
            .WithName("ReportProgress")
            .WithSummary("Reports progress of a generation");
        plain.MapPost("/complete", EndAttempt.CompleteAsync)
            .WithName("CompleteGeneration")
            .WithSummary("Completes a generation");
        plain.MapPost("/fail", EndAttempt.FailAsync)
            .WithName("FailGeneration")
            .WithSummary("Ends an attempt that failed")
            .WithDescription("A retryable failure is retried after a back-off, a limited number of times.");
        plain.MapPost("/release", EndAttempt.ReleaseAsync)
            .WithName("ReleaseGeneration")
            .WithSummary("Ends an attempt without a result and without a failure")
            .WithDescription("The generation goes back to the queue, or ends, if its owner asked to cancel it or its deadline has passed.");
    }

    // Without a time-out: they wait as long as the worker asks for, and a claim has to say what it has taken.
    private static void MapWaiting(WebApplication app)
    {
        var group = app.MapGroup("/api/v1/worker").ForWorkers().ProducesBodyProblems();
        group.MapPost("/claim", ClaimGenerations.HandleAsync)
            .WithName("ClaimGenerations")
            .WithSummary("Claims generations to do")
            .WithDescription("Answers at once if there are any, otherwise when there are, otherwise with none after waitSeconds.")
            .Produces<Success<ClaimView>>();
        group.MapPost("/heartbeat", SendHeartbeat.HandleAsync)
            .WithName("ExtendLeases")
            .WithSummary("Extends the leases of a worker")
            .WithDescription("Says which attempts are lost, and which have to stop and why. With waitSeconds it waits for something to stop.")
            .Produces<Success<HeartbeatView>>();
    }

    private static RouteGroupBuilder ForWorkers(this RouteGroupBuilder group) => group
        .RequireAuthorization(WorkerToken.Scope)
        .WithTags(Tag)
        .ProducesProblems(
            StatusCodes.Status401Unauthorized,
            StatusCodes.Status403Forbidden,
            StatusCodes.Status429TooManyRequests,
            StatusCodes.Status503ServiceUnavailable);
}
