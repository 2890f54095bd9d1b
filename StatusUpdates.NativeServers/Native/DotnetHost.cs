using System.Runtime.InteropServices;

namespace StatusUpdates.NativeServers.Native;

/// <summary>Paths for running a managed program in its own process.</summary>
internal static class DotnetHost
{
    /// <summary>
    /// The <c>dotnet</c> of the running installation, derived from the shared framework's folder, <c>ROOT/shared/Microsoft.NETCore.App/VERSION/</c>.
    /// Not <see cref="Environment.ProcessPath"/>, which is the test executable in tests, and not PATH, which may have another installation.
    /// </summary>
    public static string Path { get; } =
        System.IO.Path.GetFullPath(System.IO.Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet"));

    /// <summary>This assembly, to be run as a program.</summary>
    public static string OwnAssembly => typeof(DotnetHost).Assembly.Location;
}
