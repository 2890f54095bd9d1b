namespace StatusUpdates.Tests.Infrastructure;

/// <summary>For states without a notification: polls until the condition is true or the test's time limit is reached.</summary>
internal static class Eventually
{
    public static Task TrueAsync(Func<bool> condition, int everyMilliseconds = 5) =>
        TrueAsync(() => Task.FromResult(condition()), everyMilliseconds);

    public static async Task TrueAsync(Func<Task<bool>> condition, int everyMilliseconds = 5)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(everyMilliseconds));
        while (!await condition())
        {
            await timer.WaitForNextTickAsync(TestTime.Token);
        }
    }
}
