using System.Runtime.CompilerServices;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>Settings that the test process passes on to its child processes.</summary>
internal static class TestProcess
{
    /// <summary>
    /// Child processes live for seconds: dynamic PGO costs them more than it gains. The test project's own settings disable it for this
    /// process as well.
    /// </summary>
    [ModuleInitializer]
    internal static void DisablePgoInChildren() => Environment.SetEnvironmentVariable("DOTNET_TieredPGO", "0");
}
