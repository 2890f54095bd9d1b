namespace StatusUpdates.Api.Hosting;

/// <summary>Plain requests, which do not stream. Nothing here is a setting: only tests change it.</summary>
internal sealed class RequestOptions
{
    /// <summary>How long a request may take until it gets a 503: longer than a database takes that is only slow, and shorter than clients wait.</summary>
    public TimeSpan Timeout { get; internal set; } = TimeSpan.FromSeconds(10);
}
