using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Trace;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>
/// An in-memory exporter. A host listens to the whole process, so spans of tests that run in parallel are included, unless the test's
/// collection runs alone.
/// </summary>
internal sealed class CollectedSpans : BaseExporter<Activity>
{
    private readonly ConcurrentQueue<Activity> _spans = [];

    /// <summary>All spans in the order in which they ended. Each once: several hosts of one process export the same span.</summary>
    public IReadOnlyList<Activity> All => [.. _spans.Distinct()];

    /// <summary>All spans except statements to other databases: those of parallel tests, and health checks of hosts that are still stopping.</summary>
    public IReadOnlyList<Activity> WithoutOtherDatabases(string database) =>
        [.. All.Where(span => span.GetTagItem("db.namespace") is not string name || name == database)];

    public IReadOnlyList<Activity> Of(ActivityTraceId trace) => [.. All.Where(span => span.TraceId == trace)];

    public void AddTo(IHostApplicationBuilder builder) => builder.Services.ConfigureOpenTelemetryTracerProvider(
        tracing => tracing.AddProcessor(new SimpleActivityExportProcessor(this)));

    public override ExportResult Export(in Batch<Activity> batch)
    {
        foreach (var span in batch)
        {
            _spans.Enqueue(span);
        }

        return ExportResult.Success;
    }

    /// <summary>A span as text, with everything that an exporter would send.</summary>
    public static string Describe(Activity span) => string.Join(
        '\n',
        span.TagObjects.Select(tag => $"{tag.Key}={tag.Value}")
            .Concat(span.Events.SelectMany(e => e.Tags).Select(tag => $"{tag.Key}={tag.Value}"))
            .Concat(span.Baggage.Select(item => $"{item.Key}={item.Value}"))
            .Prepend($"{span.Source.Name}: {span.DisplayName} ({span.Kind}, {span.Status} {span.StatusDescription})"));
}
