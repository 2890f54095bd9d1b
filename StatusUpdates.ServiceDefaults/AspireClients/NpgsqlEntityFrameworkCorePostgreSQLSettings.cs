namespace Aspire.Npgsql.EntityFrameworkCore.PostgreSQL;

/// <summary>Settings of <c>AddNpgsqlDbContext</c>; configuration section <c>Aspire:Npgsql:EntityFrameworkCore:PostgreSQL</c>.</summary>
public sealed class NpgsqlEntityFrameworkCorePostgreSQLSettings
{
    /// <summary>The connection string; <c>ConnectionStrings:{name}</c> wins over it.</summary>
    public string? ConnectionString { get; set; }

    /// <summary>Whether to leave failed commands unrepeated. Default: false.</summary>
    public bool DisableRetry { get; set; }

    /// <summary>Whether to register no health check. Default: false.</summary>
    public bool DisableHealthChecks { get; set; }

    /// <summary>Whether to record no traces of commands. Default: false.</summary>
    public bool DisableTracing { get; set; }

    /// <summary>Whether to record no metrics of the connection pool. Default: false.</summary>
    public bool DisableMetrics { get; set; }

    /// <summary>How long a command may take, in seconds. Default: the provider's.</summary>
    public int? CommandTimeout { get; set; }
}
