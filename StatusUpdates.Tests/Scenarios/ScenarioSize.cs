using System.Globalization;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>How large a scenario is: small enough for every run of the tests, or as large as the environment says. CONTRIBUTING.md lists them.</summary>
internal static class ScenarioSize
{
    public static int Of(string variable, int usual) =>
        Environment.GetEnvironmentVariable(variable) is { } size ? int.Parse(size, CultureInfo.InvariantCulture) : usual;
}
