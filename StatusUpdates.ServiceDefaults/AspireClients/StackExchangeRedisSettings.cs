namespace Aspire.StackExchange.Redis;

/// <summary>Settings of <c>AddRedisClient</c>; configuration section <c>Aspire:StackExchange:Redis</c>.</summary>
public sealed class StackExchangeRedisSettings
{
    /// <summary>The connection string; <c>ConnectionStrings:{name}</c> wins over it.</summary>
    public string? ConnectionString { get; set; }

    /// <summary>Whether to register no health check. Default: false.</summary>
    public bool DisableHealthChecks { get; set; }

    /// <summary>Whether to record no traces of Redis commands. Default: false.</summary>
    public bool DisableTracing { get; set; }

    /// <summary>Whether to connect on first use instead of at start. Default: true.</summary>
    public bool DisableAutoActivation { get; set; } = true;
}
