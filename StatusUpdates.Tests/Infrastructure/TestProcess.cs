using System.Runtime.CompilerServices;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>What the process of the tests hands down to all that it starts.</summary>
internal static class TestProcess
{
    /// <summary>
    /// Programs that live for seconds: profiling what they run costs them more than it brings. The test project's own settings say the same
    /// of this process.
    /// </summary>
    [ModuleInitializer]
    internal static void MakeChildrenLean() => Environment.SetEnvironmentVariable("DOTNET_TieredPGO", "0");
}
