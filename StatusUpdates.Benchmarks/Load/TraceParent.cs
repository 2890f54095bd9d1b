using System.Diagnostics;

namespace StatusUpdates.Benchmarks.Load;

/// <summary>Creates the <c>traceparent</c> of a traced update (W3C Trace Context).</summary>
internal static class TraceParent
{
    public static string New() => $"00-{ActivityTraceId.CreateRandom()}-{ActivitySpanId.CreateRandom()}-01";
}
