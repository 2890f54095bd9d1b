using System.Runtime.CompilerServices;
using StatusUpdates.Tests.Scenarios;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>
/// The time that one test has. A test that waits for what never comes fails by itself, with its stack, instead of taking the whole run with it.
/// </summary>
internal static class TestTime
{
    /// <summary>After this time a signal is taken for lost, which says more than the end of the test's time. No test may need it, on any machine.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    // Far above what any test needs, on a slow machine with everything at once.
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(8) + TimeSpan.FromSeconds(ScenarioSize.Of("STATUSUPDATES_BAD_DAY", 0));

    private static readonly ConditionalWeakTable<object, CancellationTokenSource> Ends = [];

    /// <summary>Canceled when the running test's time is over, or the run is stopped.</summary>
    public static CancellationToken Token
    {
        get
        {
            var run = TestContext.Current.CancellationToken;
            return TestContext.Current.Test is { } test ? Ends.GetValue(test, _ => EndOf(run)).Token : run;
        }
    }

    private static CancellationTokenSource EndOf(CancellationToken run)
    {
        var end = CancellationTokenSource.CreateLinkedTokenSource(run);
        end.CancelAfter(Limit);
        return end;
    }
}
