namespace StatusUpdates.Worker.Retention;

/// <summary>What one pass removed.</summary>
internal sealed record Removed(long Generations, long Contents, long Updates, long Deliveries, TimeSpan Duration)
{
    public bool IsNothing => Generations == 0 && Contents == 0 && Updates == 0 && Deliveries == 0;
}
