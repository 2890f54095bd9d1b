using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Trace;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>
/// An exporter in memory. What a host listens to is the process's: spans of tests beside this one are among these, unless its collection has
/// nothing beside it.
/// </summary>
internal sealed class CollectedSpans : BaseExporter<Activity>
{
    private readonly ConcurrentQueue<Activity> _spans = [];

    /// <summary>All that have ended, in that order. Each once: several hosts of one process export the same.</summary>
    public IReadOnlyList<Activity> All => [.. _spans.Distinct()];

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

    /// <summary>A span with everything in it that an exporter would send.</summary>
    public static string Describe(Activity span) => string.Join(
        '\n',
        span.TagObjects.Select(tag => $"{tag.Key}={tag.Value}")
            .Concat(span.Events.SelectMany(e => e.Tags).Select(tag => $"{tag.Key}={tag.Value}"))
            .Concat(span.Baggage.Select(item => $"{item.Key}={item.Value}"))
            .Prepend($"{span.Source.Name}: {span.DisplayName} ({span.Kind}, {span.Status} {span.StatusDescription})"));
}
