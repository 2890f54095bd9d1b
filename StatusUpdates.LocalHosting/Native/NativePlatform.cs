namespace StatusUpdates.LocalHosting.Native;

internal static class NativePlatform
{
    /// <exception cref="PlatformNotSupportedException">Neither Linux nor macOS.</exception>
    public static void ThrowIfUnsupported()
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS())
        {
            throw new PlatformNotSupportedException(
                "The local engine runs on Linux and macOS. On Windows use WSL, or the Aspire engine (set Aspire=true; needs a container runtime).");
        }
    }
}
