using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Client.Python;

/// <summary>A Python program that uses <c>clients/python</c> as it is in the sources, in a process of its own.</summary>
internal sealed class PythonProgram : ConsoleProcess
{
    private PythonProgram(ProcessStartInfo start, string readyText)
        : base(start, readyText)
    {
    }

    /// <summary>A worker for product cards. It is ready when it claims.</summary>
    /// <param name="address">The API's address.</param>
    /// <param name="concurrency">How many it does at once.</param>
    /// <param name="leaseSeconds">How long its leases are.</param>
    /// <param name="workSeconds">How long each one takes.</param>
    public static async Task<PythonProgram> StartWorkerAsync(Uri address, int concurrency = 4, int leaseSeconds = 30, double workSeconds = 0)
    {
        var worker = Create("does up to", [
            Script("worker.py"), address.ToString(), WorkerToken(), Text(concurrency), Text(leaseSeconds), workSeconds.ToString(CultureInfo.InvariantCulture)]);
        await worker.StartAsync();
        return worker;
    }

    /// <summary>A feed that prints <c>update 7;</c> or <c>resync 7;</c> for each item.</summary>
    public static async Task<PythonProgram> StartWatchAsync(Uri address, string userId, string since = "0")
    {
        var watch = Create("watches", [Script("watch.py"), address.ToString(), TestTokens.Create(userId), since]);
        await watch.StartAsync();
        return watch;
    }

    /// <summary>Runs tests of the package to their end, and returns what they printed.</summary>
    /// <param name="arguments">The arguments of <c>unittest</c>.</param>
    /// <param name="system">The system to test against; null for those tests that need none.</param>
    public static async Task<string> RunTestsAsync(string[] arguments, Uri? system = null)
    {
        var start = CreateStart(["-m", "unittest", .. arguments]);
        start.Environment["STATUSUPDATES_BASE_URL"] = system?.GetLeftPart(UriPartial.Authority) ?? "";
        await using var tests = new PythonProgram(start, "never");
        var (exitCode, _, error) = await tests.RunAsync();
        Assert.True(exitCode == 0, error);
        return error;
    }

    /// <summary>A token of a worker for all tasks.</summary>
    private static string WorkerToken() => TestTokens.Create("python", payload =>
    {
        payload["scope"] = "worker";
        payload["tasks"] = new JsonArray("*");
    });

    private static PythonProgram Create(string readyText, string[] arguments) => new(CreateStart(arguments), readyText);

    private static ProcessStartInfo CreateStart(string[] arguments)
    {
        var python = ToolPath.Find("python3");
        Assert.SkipWhen(python is null, "Python 3 is not installed.");
        var start = new ProcessStartInfo(python!, arguments) { WorkingDirectory = Package() };
        start.Environment["PYTHONPATH"] = start.WorkingDirectory;
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        return start;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Package([CallerFilePath] string thisFile = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", "..", "clients", "python"));

    private static string Script(string name, [CallerFilePath] string thisFile = "") => Path.Combine(Path.GetDirectoryName(thisFile)!, name);
}
