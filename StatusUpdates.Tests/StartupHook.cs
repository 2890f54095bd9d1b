using StatusUpdates.Tests.Scenarios;

/// <summary>
/// Replaces a program's <c>Main</c> in the processes that tests start with <c>DOTNET_STARTUP_HOOKS</c>. The runtime requires this class name, this
/// method and no namespace. It gives the worker a provider, the API a clock, and all programs constants, that do not belong in the product.
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

        if (Environment.GetEnvironmentVariable(TestPrograms.ProgramVariable) is { } program)
        {
            TestPrograms.Run(program);
            Environment.Exit(0);
        }
    }
}
