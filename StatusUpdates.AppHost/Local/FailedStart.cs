using System.Reflection;

namespace StatusUpdates.AppHost.Local;

/// <summary>
/// When the application cannot start, writes the reason without a stack trace (at log level Debug with it) and exits with code 1.
/// </summary>
internal static class FailedStart
{
    private const string DetailsVariable = "Logging__LogLevel__Default";

    public static void Explain()
    {
        // Not in tests that run AppHost.cs in their own process.
        if (Assembly.GetEntryAssembly() == typeof(FailedStart).Assembly)
        {
            AppDomain.CurrentDomain.UnhandledException += (_, failure) => Environment.Exit(Explain((Exception)failure.ExceptionObject));
        }
    }

    private static int Explain(Exception failure)
    {
        if (failure is OperationCanceledException)
        {
            return 0; // Ctrl+C or SIGTERM during startup.
        }

        var isDetailed = Environment.GetEnvironmentVariable(DetailsVariable) is "Debug" or "Trace";
        Console.Error.WriteLine(isDetailed ? failure : failure.Message);
        return 1;
    }
}
