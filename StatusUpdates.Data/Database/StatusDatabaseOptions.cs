using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Data.Database;

/// <summary>Settings of the database connections; configuration section <c>StatusDatabase</c>.</summary>
public sealed class StatusDatabaseOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "StatusDatabase";

    /// <summary>How long a statement waits for a row lock (<c>lock_timeout</c>). Default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:10:00")]
    public TimeSpan LockTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a statement may run (<c>statement_timeout</c>). Default 15 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan StatementTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a transaction may lie idle before the server ends it (<c>idle_in_transaction_session_timeout</c>). Default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:10:00")]
    public TimeSpan IdleInTransactionTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>For how long a write is tried again while the database is away or its outcome is unknown. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan RetryFor { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>For how long a start waits for the database. Default 60 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan StartupTimeout { get; set; } = TimeSpan.FromSeconds(60);
}

[OptionsValidator]
internal sealed partial class StatusDatabaseOptionsValidator : IValidateOptions<StatusDatabaseOptions>;
