using System.Reflection;

namespace StatusUpdates.AppHost.Local;

/// <summary>An application that cannot start says why without a stack, and exits with code 1. At log level Debug the stack comes too.</summary>
internal static class FailedStart
{
    private const string DetailsVariable = "Logging__LogLevel__Default";

    public static void Explain()
    {
        // A test that runs AppHost.cs inside its own process keeps its own ways.
        if (Assembly.GetEntryAssembly() == typeof(FailedStart).Assembly)
        {
            AppDomain.CurrentDomain.UnhandledException += (_, failure) => Environment.Exit(Explain((Exception)failure.ExceptionObject));
        }
    }

    private static int Explain(Exception failure)
    {
        if (failure is OperationCanceledException)
        {
            return 0; // Ctrl+C or SIGTERM while it was still starting.
        }

        var isDetailed = Environment.GetEnvironmentVariable(DetailsVariable) is "Debug" or "Trace";
        Console.Error.WriteLine(isDetailed ? failure : failure.Message);
        return 1;
    }
}
