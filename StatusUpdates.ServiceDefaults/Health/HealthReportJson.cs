using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace StatusUpdates.ServiceDefaults.Health;

/// <summary>The body of a health response.</summary>
internal sealed record HealthBody(string Status, IReadOnlyDictionary<string, HealthBodyCheck>? Checks);

/// <summary>One dependency's state; in Development only.</summary>
internal sealed record HealthBodyCheck(string Status, string? Description, string? Error, double Milliseconds);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(HealthBody))]
internal sealed partial class HealthJsonContext : JsonSerializerContext;

internal static class HealthReportJson
{
    public static Task WriteAsync(HttpContext context, HealthReport report, bool detailed)
    {
        var checks = detailed
            ? report.Entries.ToDictionary(
                entry => entry.Key,
                entry => new HealthBodyCheck(
                    Name(entry.Value.Status),
                    entry.Value.Description,
                    entry.Value.Exception?.Message,
                    Math.Round(entry.Value.Duration.TotalMilliseconds, 1)),
                StringComparer.Ordinal)
            : null;
        return context.Response.WriteAsJsonAsync(
            new HealthBody(Name(report.Status), checks), HealthJsonContext.Default.HealthBody, cancellationToken: context.RequestAborted);
    }

    private static string Name(HealthStatus status) => status.ToString().ToLowerInvariant();
}
