using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.RemoteWorkers;

/// <summary>Claims whose worker, or whose API, goes away in the middle.</summary>
public sealed class LostClaimTests(TestServers servers)
{
    private const string ClaimPath = "/api/v1/worker/claim";
    private const string LogOfUser = "SELECT FROM user_streams WHERE user_id = 'u'";

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task What_a_worker_was_granted_while_it_disconnected_goes_back_at_once_without_a_failure()
    {
        var isAborted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var api = await TestApi.StartAsync(
            servers, RemoteWorkerScene.PatientDatabase, map: RemoteWorkerScene.Watch(ClaimPath, isAborted));
        var id = await api.SubmitAsync();
        var worker = api.ConnectWorker();
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(Token);
        Task<HttpResponseMessage> claim;
        await using (await api.Database.LockAsync(LogOfUser))
        {
            claim = worker.Http.PostAsync(ClaimPath, Answers.Json(worker.ClaimBody(lease: 600).ToJsonString()), gone.Token);
            await api.Database.UntilWaitingAsync("claim");
            await gone.CancelAsync();
            await isAborted.Task.WaitAsync(Token);
        }

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => claim);
        await api.Database.UntilAsync(
            $"SELECT status = 'pending' AND attempt = 1 AND failures = 0 AND lease_owner IS NULL FROM generations WHERE id = '{id}'");
        var lease = await api.ConnectWorker().ClaimOneAsync();
        Assert.Equal((id, 2, 0), ((string?)lease["id"], (int)lease["attempt"]!, (int)lease["failures"]!));
        await api.Database.AssertConsistentAsync(Token);
    }

    [Fact]
    public async Task A_waiting_claim_whose_worker_has_disconnected_takes_nothing()
    {
        var isAborted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var api = await TestApi.StartAsync(servers, map: RemoteWorkerScene.Watch(ClaimPath, isAborted));
        var worker = api.ConnectWorker();
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var claim = worker.Http.PostAsync(ClaimPath, Answers.Json(worker.ClaimBody(wait: 60).ToJsonString()), gone.Token);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => claim);

        // It may have been canceled before it was sent.
        if (await Task.WhenAny(isAborted.Task, Task.Delay(TimeSpan.FromSeconds(2), Token)) == isAborted.Task)
        {
            await isAborted.Task;
        }

        await api.SubmitAsync();
        Assert.Equal(1, (int)(await api.ConnectWorker().ClaimOneAsync())["attempt"]!);
    }

    [Fact]
    public async Task A_stopping_API_answers_what_waits_and_delivers_what_it_was_just_granted()
    {
        using var arrivals = new SemaphoreSlim(0);
        await using var api = await TestApi.StartAsync(servers, RemoteWorkerScene.PatientDatabase, map: RemoteWorkerScene.Count(ClaimPath, arrivals));
        var (idle, busy) = (api.ConnectWorker(), api.ConnectWorker());
        await api.SubmitAsync("v");
        var held = await busy.ClaimOneAsync();
        await api.SubmitAsync();
        var heartbeat = busy.HeartbeatAsync([held], lease: 120, wait: 60);
        Task<JsonNode[]> waiting;
        Task<JsonNode[]> granted;
        Task stopped;
        await using (await api.Database.LockAsync(LogOfUser))
        {
            granted = idle.ClaimAsync(wait: 60);
            await api.Database.UntilWaitingAsync("claim");
            waiting = api.ConnectWorker().ClaimAsync(wait: 60);
            for (var i = 0; i < 3; i++)
            {
                await arrivals.WaitAsync(Token);
            }

            var stopping = api.App.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
            stopped = api.App.StopAsync(Token);
            await Eventually.TrueAsync(() => stopping.IsCancellationRequested);
            Assert.Empty(await waiting);
            Assert.Empty((await heartbeat)["stop"]!.AsArray());
        }

        Assert.Single(await granted);
        await stopped;
    }
}
