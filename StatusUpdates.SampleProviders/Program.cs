using StatusUpdates.SampleProviders.Providers;
using StatusUpdates.Worker;

namespace StatusUpdates.SampleProviders;

/// <summary>A worker with providers: everything but them is in StatusUpdates.Worker. A worker with real providers has the same few lines.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args) => WorkerProgram.RunAsync(args, builder => builder.AddSampleProviders());
}
