using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Tests.Worker;

/// <summary>A worker's tasks are names: of its providers, and of the types that its configuration registers.</summary>
public sealed class RegisteredTypeTests(TestServers servers)
{
    [Fact]
    public async Task A_provider_runs_the_task_of_a_configured_type_with_its_options_and_slots()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        var provider = ScriptedProvider.Finishing();
        await using var worker = await StartAsync(scene, provider, [.. PosterType.Settings, ($"Worker:Tasks:{PosterType.Task}:Concurrency", "1")]);

        var id = await scene.SubmitAsync(PosterType.Task, options: """{"size":"a3"}""", type: PosterType.Name);
        var update = await scene.WaitForAsync(id, GenerationStatus.Completed);

        Assert.Equal(PosterType.Name, update.Type);
        var run = Assert.Single(provider.Runs);
        Assert.Equal((PosterType.Task, "a3"), (run.Task, run.Options.GetProperty("size").GetString()));
    }

    [Fact]
    public async Task A_result_that_a_configured_task_does_not_make_fails_the_generation()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var worker = await StartAsync(scene, Making("text/html"), PosterType.Settings);

        var id = await scene.SubmitAsync(PosterType.Task, type: PosterType.Name);
        var update = await scene.WaitForAsync(id, GenerationStatus.Failed);

        Assert.Equal("The provider returned text/html instead of image/*.", update.Metadata!.ErrorMessage);
    }

    // Polls are ten minutes apart here: the announcement alone must be enough.
    [Fact]
    public async Task A_provider_for_a_task_that_is_not_registered_is_given_its_generations_at_once_and_may_make_anything()
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var worker = await StartAsync(scene, Making("text/html"), [($"Worker:Tasks:{PosterType.Task}:Concurrency", "1")]);

        for (var i = 0; i < 3; i++)
        {
            await scene.WaitForAsync(await scene.SubmitAsync(PosterType.Task, type: PosterType.Name), GenerationStatus.Completed);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("Print")]
    [InlineData("print poster")]
    public void A_provider_needs_a_name_of_a_task(string task)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());

        var error = Assert.Throws<ArgumentException>(() => builder.AddProvider<ScriptedProvider>(task));

        Assert.Contains($"'{task}' is not the name of a task", error.Message, StringComparison.Ordinal);
    }

    private static ScriptedProvider Making(string contentType) =>
        new((_, _, _) => Task.FromResult(new ProviderResult([new ProviderContent(contentType, [1])], 0)));

    private static Task<TestWorker> StartAsync(WorkerScene scene, ScriptedProvider provider, (string Key, string Value)[] settings) => TestWorker.StartWithAsync(
        scene.Database, scene.Redis, builder => builder.Services.AddKeyedSingleton<IGenerationProvider>(PosterType.Task, provider), settings);
}
