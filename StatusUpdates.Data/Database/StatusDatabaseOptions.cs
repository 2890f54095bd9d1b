using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Data.Database;

/// <summary>The database. Read by all services.</summary>
public sealed class StatusDatabaseOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "StatusDatabase";

    /// <summary>How long a start waits for the database server, and for a database that somebody else is to create.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan StartupTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long a statement waits for a row lock (<c>lock_timeout</c>). A connection string's <c>Options</c> override this and the other two: with
    /// them, a process that is stopped or cut off cannot block a user's log for longer than seconds.
    /// </summary>
    public TimeSpan LockTimeout { get; internal set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a statement may run (<c>statement_timeout</c>).</summary>
    public TimeSpan StatementTimeout { get; internal set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a transaction may be idle before the server ends it (<c>idle_in_transaction_session_timeout</c>).</summary>
    public TimeSpan IdleInTransactionTimeout { get; internal set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a write is retried while the database is away or the outcome is unknown: long enough for a restart or a failover.</summary>
    public TimeSpan RetryFor { get; internal set; } = TimeSpan.FromSeconds(30);
}

[OptionsValidator]
internal sealed partial class StatusDatabaseOptionsValidator : IValidateOptions<StatusDatabaseOptions>;
