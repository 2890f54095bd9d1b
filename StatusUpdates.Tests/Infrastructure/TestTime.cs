using System.Runtime.CompilerServices;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>
/// The time limit of one test. A test that waits for something that never comes fails by itself, with its stack, instead of hanging the whole run.
/// </summary>
internal static class TestTime
{
    /// <summary>After this time a signal counts as lost: a clearer failure than the test's time limit. No test may need this long, on any machine.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    // Far more than any test needs, even on a slow machine that runs everything at once.
    private static readonly TimeSpan Limit =
        (ScenarioSize.Scale * TimeSpan.FromMinutes(8)) + TimeSpan.FromSeconds(ScenarioSize.Read("STATUSUPDATES_BAD_DAY") ?? 0);

    private static readonly ConditionalWeakTable<object, CancellationTokenSource> Ends = [];

    /// <summary>Canceled when the running test's time limit is reached or the run is stopped.</summary>
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
