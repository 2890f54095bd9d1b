using System.Runtime.InteropServices;

namespace StatusUpdates.NativeServers.Native;

/// <summary>How to run a managed program in a process of its own.</summary>
internal static class DotnetHost
{
    /// <summary>
    /// The <c>dotnet</c> that runs us. Not <see cref="Environment.ProcessPath"/>, which is a test's own executable, and not PATH,
    /// which may name another installation: the shared framework lies in <c>ROOT/shared/Microsoft.NETCore.App/VERSION/</c>.
    /// </summary>
    public static string Path { get; } =
        System.IO.Path.GetFullPath(System.IO.Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet"));

    /// <summary>This assembly, as a program.</summary>
    public static string OwnAssembly => typeof(DotnetHost).Assembly.Location;
}
