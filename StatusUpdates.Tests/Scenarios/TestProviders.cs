using Microsoft.Extensions.Hosting;
using StatusUpdates.Data.Schema;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.SampleProviders.Providers;
using StatusUpdates.Tests.ResultStore;
using StatusUpdates.Worker;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>The worker itself, with one of the tests' providers for product cards, run in a separate process by <c>StartupHook</c>.</summary>
internal static class TestProviders
{
    /// <summary>The environment variable that names the provider.</summary>
    public const string Variable = "STATUSUPDATES_TEST_PROVIDER";

    /// <summary>Ends its own process, as a bug in native code would.</summary>
    public const string Killing = "killing";

    /// <summary>Completes at once with a stream of <see cref="StreamLength"/>.</summary>
    public const string Streaming = "streaming";

    /// <summary>The length of a large result, in bytes: 64 MiB.</summary>
    public const long StreamLength = 64 * 1024 * 1024;

    /// <summary>Completes at once without doing anything.</summary>
    public const string Idle = "idle";

    /// <summary>An input line that asks for the heap size, and the start of the line with the answer.</summary>
    public const string Heap = "heap after a full collection: ";

    public static void RunWorker(string provider)
    {
        using var host = WorkerProgram.Build(new HostApplicationBuilderSettings(), builder =>
        {
            TestPrograms.SetConstants(builder);
            builder.AddSampleProviders();
            switch (provider)
            {
                case Killing:
                    builder.AddProvider<KillingProvider>("product_card");
                    break;
                case Streaming:
                    builder.AddProvider<StreamingProvider>("product_card");
                    break;
                default:
                    builder.AddProvider<IdleProvider>("product_card");
                    break;
            }
        });
        var listener = new Thread(AnswerRequests) { IsBackground = true };
        listener.Start();
        host.Run();
    }

    private static void AnswerRequests()
    {
        while (Console.ReadLine() is { } request)
        {
            if (request == Heap)
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
            throw new InvalidOperationException("The process survived SIGKILL.");
        }
    }

    private sealed class StreamingProvider : IGenerationProvider
    {
        public Task<ProviderResult> GenerateAsync(
            ProviderRequest request, IProviderProgress progress, CancellationToken cancellationToken) =>
            Task.FromResult(new ProviderResult([new ProviderStream("image/png", _ => Task.FromResult<Stream>(new PatternStream(StreamLength)))], 1));
    }

    private sealed class IdleProvider : IGenerationProvider
    {
        private static readonly Uri Address = new("https://example.com/result");

        public Task<ProviderResult> GenerateAsync(
            ProviderRequest request, IProviderProgress progress, CancellationToken cancellationToken) =>
            Task.FromResult(new ProviderResult([new ProviderLink(Address)], 1));
    }
}
