using Npgsql;
using NpgsqlTypes;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Api.Security.Tickets;

/// <summary>
/// Issues tickets and redeems each of them once, on whichever instance: a ticket is a row, and whoever deletes the row has used it. Only hashes are
/// stored: whoever can read the database, or a backup of it, cannot use them. All times are the database's, so instances with different clocks
/// agree on when a ticket expires. Thread-safe.
/// </summary>
internal sealed class TicketStore(StatusDatabase database)
{
    // Issuing removes expired tickets: only issuing adds rows, so a timer would achieve nothing more. A batch is larger than the one row that is
    // added, so the table shrinks to the unexpired ones, and small enough to keep issuing fast.
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

    // If several delete one row at once, the first succeeds; the others wait for it and find nothing.
    private const string RedeemSql =
        """
        -- redeem ticket
        DELETE FROM tickets WHERE hash = $1 AND expires_at > clock_timestamp()
        RETURNING user_id, token_issued_at, token_expires_at
        """;

    // Enough time between the response and the handshake on a slow network.
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(30);

    /// <summary>Issues a ticket for the token. After the token's expiry it can still be used for as long as the token itself.</summary>
    /// <param name="accessToken">The token.</param>
    /// <param name="cancellationToken">Stops waiting; the ticket may still be committed.</param>
    /// <exception cref="NpgsqlException">The database was away longer than <see cref="StatusDatabaseOptions.RetryFor"/>.</exception>
    public async Task<TicketView> IssueAsync(AccessToken accessToken, CancellationToken cancellationToken)
    {
        var text = SingleUseCode.Create();
        var expiresAt = await database.RetryAsync(
            token =>
            {
                var command = new NpgsqlCommand(IssueSql);
                command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = SingleUseCode.HashOf(text) });
                command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = accessToken.UserId });
                command.Parameters.Add(new NpgsqlParameter
                {
                    Value = (object?)accessToken.IssuedAt?.ToUniversalTime() ?? DBNull.Value,
                    NpgsqlDbType = NpgsqlDbType.TimestampTz,
                });
                command.Parameters.Add(new NpgsqlParameter<DateTimeOffset> { TypedValue = accessToken.ExpiresAt.ToUniversalTime() });
                command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = Lifetime });
                command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = AccessToken.ClockSkew });
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

    /// <summary>Uses up a ticket. Not repeated after an unknown outcome: the ticket may be gone, and the client requests another one.</summary>
    /// <returns>The token that it was issued for; null if it does not exist, was used or has expired.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<AccessToken?> RedeemAsync(string text, CancellationToken cancellationToken)
    {
        if (!SingleUseCode.IsWellFormed(text))
        {
            return null;
        }

        var command = new NpgsqlCommand(RedeemSql);
        command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = SingleUseCode.HashOf(text) });
        return await database.WriteAsync(
            command,
            static async reader => await reader.ReadAsync()
                ? new AccessToken(reader.GetString(0), reader.GetFieldValue<DateTimeOffset>(2))
                {
                    IssuedAt = reader.IsDBNull(1) ? null : reader.GetFieldValue<DateTimeOffset>(1),
                }
                : null,
            cancellationToken);
    }
}

/// <summary>A ticket: opens one connection of the caller.</summary>
/// <param name="Ticket">The ticket, for <c>?ticket=</c>.</param>
/// <param name="ExpiresAt">When it expires.</param>
internal sealed record TicketView(string Ticket, DateTimeOffset ExpiresAt);
