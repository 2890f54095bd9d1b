using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Data.Schema;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Worker.Providers;
using WorkerProgram = StatusUpdates.Worker.Program;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>The worker itself with a provider of the tests', run in a process of its own by <c>StartupHook</c>.</summary>
internal static class TestProviders
{
    /// <summary>The environment variable that names the provider.</summary>
    public const string Variable = "STATUSUPDATES_TEST_PROVIDER";

    /// <summary>Ends its own process, as a bug in native code would.</summary>
    public const string Killing = "killing";

    /// <summary>Does nothing, at once.</summary>
    public const string Idle = "idle";

    /// <summary>A line of standard input that asks for the heap's size, and the beginning of the answer.</summary>
    public const string Heap = "heap after a full collection: ";

    public static void RunWorker(string provider)
    {
        using var host = WorkerProgram.Build(new HostApplicationBuilderSettings(), builder => builder.Services.AddKeyedSingleton<IGenerationProvider>(
            GenerationTask.ProductCard, provider == Killing ? new KillingProvider() : new IdleProvider()));
        var listener = new Thread(AnswerQuestions) { IsBackground = true };
        listener.Start();
        host.Run();
    }

    private static void AnswerQuestions()
    {
        while (Console.ReadLine() is { } question)
        {
            if (question == Heap)
            {
                Console.WriteLine(Heap + GC.GetTotalMemory(forceFullCollection: true));
            }
        }
    }

    private sealed class KillingProvider : IGenerationProvider
    {
        public async Task<ProviderResult> GenerateAsync(
            ProviderRequest request, IProviderProgress progress, CancellationToken cancellationToken)
        {
            await progress.ReportAsync(50, cancellationToken);
            Posix.Signal(Environment.ProcessId, Posix.SigKill);
            await Task.Delay(Timeout.InfiniteTimeSpan, CancellationToken.None);
            throw new InvalidOperationException("It outlived its process.");
        }
    }

    private sealed class IdleProvider : IGenerationProvider
    {
        private static readonly Uri Address = new("https://example.com/result");

        public Task<ProviderResult> GenerateAsync(
            ProviderRequest request, IProviderProgress progress, CancellationToken cancellationToken) =>
            Task.FromResult(new ProviderResult([new ProviderLink(Address)], 1));
    }
}
