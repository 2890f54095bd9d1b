namespace StatusUpdates.Worker;

internal static class TimeSpans
{
    /// <summary>The time, or the bound that it is beyond.</summary>
    public static TimeSpan Clamp(TimeSpan time, TimeSpan min, TimeSpan max) => time < min ? min : time > max ? max : time;
}
