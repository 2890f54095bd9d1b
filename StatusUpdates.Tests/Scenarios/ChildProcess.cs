using System.Diagnostics;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>One of the programs in a separate process.</summary>
/// <param name="assembly">The program's file, which is next to the tests.</param>
/// <param name="settings">The program's configuration, passed as environment variables, and constants that are changed (<see cref="TestSettings"/>).</param>
internal sealed class ChildProcess(string assembly, IEnumerable<KeyValuePair<string, string?>> settings)
    : ConsoleProcess(CreateStart(assembly, settings), "Application started")
{
    private static ProcessStartInfo CreateStart(string assembly, IEnumerable<KeyValuePair<string, string?>> all)
    {
        // With the tests' dependency list: the program runs in their folder, which lacks some files of the program's own folder.
        var folder = AppContext.BaseDirectory;
        var start = new ProcessStartInfo(
            DotnetHost.Path, ["exec", "--depsfile", Path.Combine(folder, "StatusUpdates.Tests.deps.json"), Path.Combine(folder, assembly)])
        {
            RedirectStandardInput = true,
        };
        start.Environment["DOTNET_ENVIRONMENT"] = "Development";
        var settings = all.ToLookup(setting => TestSettings.IsConstant(setting.Key));
        foreach (var (key, value) in settings[false])
        {
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        if (settings[true].Any())
        {
            start.Environment["DOTNET_STARTUP_HOOKS"] = typeof(ChildProcess).Assembly.Location;
            start.Environment[TestPrograms.ProgramVariable] = assembly;
            start.Environment[TestPrograms.ConstantsVariable] = string.Join('\n', settings[true].Select(constant => $"{constant.Key}={constant.Value}"));
        }

        return start;
    }
}
