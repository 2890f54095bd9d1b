namespace StatusUpdates.NativeServers.Native;

internal static class NativePlatform
{
    /// <exception cref="PlatformNotSupportedException">Neither Linux nor macOS.</exception>
    public static void ThrowIfUnsupported()
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS())
        {
            throw new PlatformNotSupportedException(
                "Native servers run only on Linux and macOS. On Windows, start Docker Desktop or Podman to run PostgreSQL and Redis as containers, or use WSL.");
        }
    }
}
