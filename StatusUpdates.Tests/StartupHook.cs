using StatusUpdates.Tests.Scenarios;

/// <summary>
/// Takes the place of a program's <c>Main</c> in the processes that <see cref="WorkerProcess"/> and <see cref="ApiProcess"/> start with
/// <c>DOTNET_STARTUP_HOOKS</c>; name, method and the missing namespace are the runtime's contract. So the worker has a provider, and the API a
/// clock, that no product should carry.
/// </summary>
internal static class StartupHook
{
    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(TestProviders.Variable) is { } provider)
        {
            TestProviders.RunWorker(provider);
            Environment.Exit(0);
        }

        if (Environment.GetEnvironmentVariable(SkippedTime.Variable) is not null)
        {
            SkippedTime.RunApi();
            Environment.Exit(0);
        }
    }
}
