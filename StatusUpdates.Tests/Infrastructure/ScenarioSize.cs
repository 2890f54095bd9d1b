using System.Globalization;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>
/// The size of a scenario: small enough for every test run, or as set by <c>STATUSUPDATES_SCALE</c>, from 1 (small) to 10 (full).
/// CONTRIBUTING.md lists the full sizes.
/// </summary>
internal static class ScenarioSize
{
    private const int Full = 10;

    public static int Scale { get; } = Read("STATUSUPDATES_SCALE") ?? 1;

    public static int Of(int small, int full) => small + (int)((full - small) * (long)(Scale - 1) / (Full - 1));

    public static int? Read(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? int.Parse(value, CultureInfo.InvariantCulture) : null;
}
