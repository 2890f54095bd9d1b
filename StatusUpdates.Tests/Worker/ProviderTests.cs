using System.Text;
using Microsoft.Extensions.Logging;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Tests.Worker;

/// <summary>A worker runs the tasks that it has a provider for. The example of docs/extending.md is <see cref="EchoProvider"/>.</summary>
public sealed class ProviderTests(TestServers servers)
{
    [Fact]
    public async Task A_worker_runs_the_tasks_that_it_has_a_provider_for_and_leaves_the_others_to_other_workers()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var image = await scene.SubmitAsync("image_generation");
        var chat = await scene.SubmitAsync("chat_processing", prompt: "Is anyone there?");
        var logs = new CollectedLogs();
        await using var worker = await TestWorker.StartWithAsync(scene.Database, scene.Redis, builder =>
        {
            builder.Logging.AddProvider(logs);
            builder.AddProvider<EchoProvider>("chat_processing");
        });

        var answer = await scene.WaitForAsync(chat, GenerationStatus.Completed);

        var stored = await scene.Database.Results.FindAsync(Assert.Single(answer.Metadata!.ResultUrls!)[^32..], TestTime.Token);
        Assert.Equal("Is anyone there?", Encoding.UTF8.GetString(stored!.Bytes));
        Assert.Equal((GenerationStatus.Pending, 0), await StateOfAsync(scene, image));
        Assert.Contains("has no provider for product_card, sora, image_generation:", Warning(logs), StringComparison.Ordinal);

        await using var other = await TestWorker.StartAsync(scene.Database, scene.Redis);
        await scene.WaitForAsync(image, GenerationStatus.Completed);
    }

    [Fact]
    public async Task A_worker_without_providers_says_so_once_and_still_ends_what_is_overdue()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var logs = new CollectedLogs();
        await using var worker = await TestWorker.StartWithAsync(
            scene.Database, scene.Redis, builder => builder.Logging.AddProvider(logs), ("Worker:PollInterval", "00:00:00.100"));
        var waiting = await scene.SubmitAsync();
        var overdue = await scene.SubmitAsync(deadline: DateTimeOffset.UtcNow.AddHours(1));
        await scene.Database.ExecuteAsync($"UPDATE generations SET deadline = clock_timestamp() WHERE id = '{overdue}'", TestTime.Token);

        var update = await scene.WaitForAsync(overdue, GenerationStatus.Failed);

        Assert.Equal(QueueMessages.DeadlinePassed, update.Metadata!.ErrorMessage);
        Assert.Equal((GenerationStatus.Pending, 0), await StateOfAsync(scene, waiting));
        Assert.Contains("has no provider for product_card, sora, chat_processing, image_generation:", Warning(logs), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_several_providers_for_a_task_the_last_one_counts()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var worker = await TestWorker.StartWithAsync(scene.Database, scene.Redis, builder =>
        {
            builder.AddProvider<RefusingProvider>("chat_processing");
            builder.AddProvider<EchoProvider>("chat_processing");
        });

        await scene.WaitForAsync(await scene.SubmitAsync("chat_processing"), GenerationStatus.Completed);
    }

    private static string Warning(CollectedLogs logs) => Assert.Single(
        logs.Lines, line => line.StartsWith("Warning", StringComparison.Ordinal) && line.Contains("has no provider", StringComparison.Ordinal));

    private static async Task<(GenerationStatus Status, int Attempt)> StateOfAsync(WorkerScene scene, string id)
    {
        var generation = await scene.FindAsync(id);
        return (generation.Status, generation.Attempt);
    }

    /// <summary>Answers a chat prompt with the prompt.</summary>
    private sealed class EchoProvider : IGenerationProvider
    {
        public async Task<ProviderResult> GenerateAsync(ProviderRequest request, IProviderProgress progress, CancellationToken cancellationToken)
        {
            if (string.IsNullOrWhiteSpace(request.Prompt))
            {
                throw new ProviderException("Please write something."); // the user reads this
            }

            await progress.ReportAsync(50, cancellationToken);
            return new ProviderResult([new ProviderContent("text/plain; charset=utf-8", Encoding.UTF8.GetBytes(request.Prompt))], TokensUsed: 1);
        }
    }

    private sealed class RefusingProvider : IGenerationProvider
    {
        public Task<ProviderResult> GenerateAsync(ProviderRequest request, IProviderProgress progress, CancellationToken cancellationToken) =>
            throw new ProviderException("Not today.");
    }
}
