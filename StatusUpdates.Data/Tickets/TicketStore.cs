using Npgsql;
using NpgsqlTypes;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Data.Tickets;

/// <summary>
/// Issues tickets and takes them in, once each, whichever instance they come to: a ticket is a row, and who deletes the row has used it.
/// Only hashes are stored, so that who can read the database, or a backup of it, can open nothing. All times are the database's: instances
/// whose clocks differ agree on when a ticket is over. Thread-safe.
/// </summary>
public sealed class TicketStore(StatusDatabase database)
{
    // Who issues a ticket removes those that nobody used: only issuing makes rows, so a timer would do nothing that this does not. A batch
    // is more than the one row that is added, so that the table shrinks to what is not over yet, and so few that issuing stays quick.
    private const int CleanUpBatch = 16;

    // A repeat after an unknown outcome finds its own row: nobody else can have the hash.
    private const string IssueSql =
        """
        -- issue ticket
        WITH unused AS (
            DELETE FROM tickets WHERE hash IN (
                SELECT hash FROM tickets WHERE expires_at <= clock_timestamp() ORDER BY expires_at LIMIT $7 FOR UPDATE SKIP LOCKED)
        )
        INSERT INTO tickets (hash, user_id, token_issued_at, token_expires_at, expires_at)
        VALUES ($1, $2, $3, $4, LEAST(clock_timestamp() + $5, $4 + $6))
        ON CONFLICT (hash) DO UPDATE SET expires_at = EXCLUDED.expires_at
        RETURNING expires_at
        """;

    // Of several that delete one row at once the first wins; the others wait for it and find nothing.
    private const string RedeemSql =
        """
        -- redeem ticket
        DELETE FROM tickets WHERE hash = $1 AND expires_at > clock_timestamp()
        RETURNING user_id, token_issued_at, token_expires_at
        """;

    /// <summary>Makes a ticket.</summary>
    /// <param name="grant">What it carries.</param>
    /// <param name="lifetime">How long it can be used.</param>
    /// <param name="skew">How long after the token's expiry it can be used at most: as long as the token itself.</param>
    /// <param name="cancellationToken">Ends the waiting, not what is committed.</param>
    /// <exception cref="NpgsqlException">The database was away longer than <see cref="StatusDatabaseOptions.RetryFor"/>.</exception>
    public async Task<IssuedTicket> IssueAsync(
        TicketGrant grant, TimeSpan lifetime, TimeSpan skew, CancellationToken cancellationToken = default)
    {
        var text = SingleUseText.Create();
        var expiresAt = await database.RetryAsync(
            token =>
            {
                var command = new NpgsqlCommand(IssueSql);
                command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = SingleUseText.HashOf(text) });
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = grant.UserId });
                command.Parameters.Add(new NpgsqlParameter
                {
                    Value = (object?)grant.TokenIssuedAt?.ToUniversalTime() ?? DBNull.Value,
                    NpgsqlDbType = NpgsqlDbType.TimestampTz,
                });
                command.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = grant.TokenExpiresAt.ToUniversalTime() });
                command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = lifetime });
                command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = skew });
                command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = CleanUpBatch });
                return database.WriteAsync(
                    command,
                    static async reader =>
                    {
                        await reader.ReadAsync();
                        return reader.GetFieldValue<DateTimeOffset>(0);
                    },
                    token);
            },
            cancellationToken);
        return new(text, expiresAt);
    }

    /// <summary>Uses a ticket up. Not repeated after an unknown outcome: the ticket may be gone, and its client asks for another one.</summary>
    /// <returns>What it carries; null if it never was, is used or is over.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<TicketGrant?> RedeemAsync(string text, CancellationToken cancellationToken = default)
    {
        if (!SingleUseText.IsPossible(text))
        {
            return null;
        }

        var command = new NpgsqlCommand(RedeemSql);
        command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = SingleUseText.HashOf(text) });
        return await database.WriteAsync(
            command,
            static async reader => await reader.ReadAsync()
                ? new TicketGrant(
                    reader.GetString(0),
                    reader.IsDBNull(1) ? null : reader.GetFieldValue<DateTimeOffset>(1),
                    reader.GetFieldValue<DateTimeOffset>(2))
                : null,
            cancellationToken);
    }
}
