using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Webhooks;

/// <summary>What is to be delivered to webhooks, and what became of it. Thread-safe; one instance serves a process.</summary>
public sealed class DeliveryStore(StatusDatabase database)
{
    /// <summary>Looks at what there is to deliver: one round trip.</summary>
    /// <param name="webhookId">To which webhook.</param>
    /// <param name="cursor">Its cursor.</param>
    /// <param name="page">How many entries of the log at most.</param>
    /// <param name="due">How many deliveries at most of those that are due.</param>
    /// <param name="cancellationToken">Ends the look.</param>
    /// <returns>Null if there is no such webhook (any more).</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public Task<DeliveryPlan?> PlanAsync(
        string webhookId, HeldCursor cursor, int page, int due, CancellationToken cancellationToken) =>
        StatusDatabase.ReadAsync(token => TryPlanAsync(webhookId, cursor, page, due, token), cancellationToken);

    /// <summary>The effect of a save of outcomes, and of what they say of the webhook.</summary>
    /// <param name="webhookId">Which webhook.</param>
    /// <param name="outcomes">What became of deliveries, each of which occurs once.</param>
    /// <param name="lastSucceeded">Whether the last attempt succeeded; null if there was none.</param>
    /// <param name="hasSucceeded">Whether any attempt did.</param>
    /// <param name="hasRecovered">Whether what was put off because everything failed is due now.</param>
    public static CursorEffect Effect(
        string webhookId, IReadOnlyList<DeliveryOutcome> outcomes, bool? lastSucceeded, bool hasSucceeded, bool hasRecovered) => new(
        DeliverySql.Outcomes,
        parameters =>
        {
            parameters.Add(new NpgsqlParameter<string> { TypedValue = webhookId });
            Add(parameters, outcomes, NpgsqlDbType.Text, static o => o.Id);
            Add(parameters, outcomes, NpgsqlDbType.Bigint, static o => o.Seq);
            Add(parameters, outcomes, NpgsqlDbType.Text, static o => o.GenerationId);
            Add(parameters, outcomes, NpgsqlDbType.Text, static o => o.MessageId);
            Add(parameters, outcomes, NpgsqlDbType.Text, static o => o.Type);
            Add(parameters, outcomes, NpgsqlDbType.Text, static o => o.Body);
            Add(parameters, outcomes, NpgsqlDbType.Text, static o => o.State);
            Add(parameters, outcomes, NpgsqlDbType.Integer, static o => o.Attempt);
            Add(parameters, outcomes, NpgsqlDbType.Interval, static o => o.NextAttempt);
            Add(parameters, outcomes, NpgsqlDbType.Boolean, static o => o.WasAttempted);
            Add(parameters, outcomes, NpgsqlDbType.Integer, static o => o.StatusCode);
            Add(parameters, outcomes, NpgsqlDbType.Text, static o => o.Attempts);
            parameters.Add(new NpgsqlParameter<bool> { TypedValue = hasSucceeded });
            parameters.Add(new NpgsqlParameter<bool> { TypedValue = lastSucceeded == false });
            parameters.Add(new NpgsqlParameter<bool> { TypedValue = hasRecovered });
        });

    /// <summary>Stops deliveries to a webhook until its owner enables it again; its cursor stays where it is.</summary>
    /// <param name="webhookId">Which webhook.</param>
    /// <param name="cursor">Its cursor; lost by this. If it was lost before, nothing happens.</param>
    /// <param name="reason">Shown to the owner: <c>gone</c> or <c>failing</c>.</param>
    /// <exception cref="NpgsqlException">The database does not answer; the next failure will disable it.</exception>
    public Task DisableAsync(string webhookId, HeldCursor cursor, string reason) => database.RetryAsync(
        token =>
        {
            var command = new NpgsqlCommand(DeliverySql.Disable);
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = webhookId });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = cursor.Owner });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = cursor.Claimed.Epoch });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = reason });
            return database.WriteAsync(command, token);
        },
        CancellationToken.None);

    private async Task<DeliveryPlan?> TryPlanAsync(
        string webhookId, HeldCursor cursor, int pageSize, int dueSize, CancellationToken cancellationToken)
    {
        var startedAt = Activity.Current is null ? database.Spans.Begin() : null;
        await using var batch = database.DataSource.CreateBatch();
        Add(batch, DeliverySql.Summary, new NpgsqlParameter<string> { TypedValue = webhookId });
        Add(
            batch,
            DeliverySql.Due,
            new NpgsqlParameter<string> { TypedValue = webhookId },
            new NpgsqlParameter<string> { TypedValue = cursor.UserId },
            new NpgsqlParameter<int> { TypedValue = dueSize + 1 },
            new NpgsqlParameter<int> { TypedValue = dueSize + 1 });
        Add(
            batch,
            DeliverySql.Page,
            new NpgsqlParameter<string> { TypedValue = webhookId },
            new NpgsqlParameter<string> { TypedValue = cursor.UserId },
            new NpgsqlParameter<long> { TypedValue = cursor.Position.Seq },
            new NpgsqlParameter<int> { TypedValue = pageSize });

        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken))
        {
            return null;
        }

        var target = ReadTarget(webhookId, reader);
        var (pending, struck) = (reader.GetInt32(6), reader.GetInt32(7));
        TimeSpan? nextDue = reader.IsDBNull(8) ? null : reader.GetTimeSpan(8);
        var waiting = reader.GetInt32(9);

        await reader.NextResultAsync(cancellationToken);
        var due = new List<StoredDelivery>();
        while (await reader.ReadAsync(cancellationToken))
        {
            due.Add(ReadDelivery(reader));
        }

        var hasMore = due.Count > dueSize;
        if (hasMore)
        {
            due.RemoveAt(dueSize);
        }

        await reader.NextResultAsync(cancellationToken);
        var bounds = LogBounds.Empty;
        uint? check = null;
        var page = new List<LoggedUpdate>();
        while (await reader.ReadAsync(cancellationToken))
        {
            (bounds, check) = EventReader.ReadBounds(reader, cursor.Position.Seq);
            if (!reader.IsDBNull(4))
            {
                page.Add(new LoggedUpdate(EventReader.Read(reader, 4), reader.GetGuid(12), reader.GetBoolean(13), reader.GetBoolean(14)));
            }
        }

        if (startedAt is not null && page.Count + due.Count > 0)
        {
            using var span = database.Spans.RecordOfMany(
                "plan deliveries", page.Select(p => p.Update.TraceParent).Concat(due.Select(d => d.Update?.TraceParent)), startedAt);
            span?.SetTag("statusupdates.updates", page.Count).SetTag("statusupdates.deliveries.due", due.Count);
        }

        return new DeliveryPlan
        {
            Target = target,
            Bounds = bounds,
            Cursor = new LogPosition(cursor.Position.Seq, check),
            Due = due,
            HasMoreDue = hasMore,
            Pending = pending,
            PendingGenerations = waiting,
            Struck = struck,
            NextDue = nextDue,
            Page = page,
        };
    }

    private static WebhookTarget ReadTarget(string webhookId, NpgsqlDataReader reader) => new()
    {
        Id = webhookId,
        Url = new Uri(reader.GetString(0)),
        Statuses = reader.IsDBNull(1) ? null : reader.GetFieldValue<string[]>(1),
        Types = reader.IsDBNull(2) ? null : reader.GetFieldValue<string[]>(2),
        SigningKeys = reader.GetFieldValue<byte[]>(3),
        IsDisabled = reader.GetBoolean(4),
        LastSuccessAt = reader.IsDBNull(5) ? null : reader.GetFieldValue<DateTimeOffset>(5),
    };

    private static StoredDelivery ReadDelivery(NpgsqlDataReader reader) => new()
    {
        Id = reader.GetString(0),
        MessageId = reader.GetString(1),
        Type = reader.GetString(2),
        Body = reader.IsDBNull(3) ? null : reader.GetString(3),
        Seq = reader.IsDBNull(4) ? null : reader.GetInt64(4),
        GenerationId = reader.IsDBNull(5) ? null : reader.GetString(5),
        Attempt = reader.GetInt32(6),
        CreatedAt = reader.GetFieldValue<DateTimeOffset>(7),
        Attempts = reader.IsDBNull(8) ? null : reader.GetString(8),
        Update = reader.IsDBNull(9) ? null : EventReader.Read(reader, 9),
    };

    private static void Add(NpgsqlBatch batch, string sql, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(parameter);
        }

        batch.BatchCommands.Add(command);
    }

    private static void Add<T>(
        NpgsqlParameterCollection parameters, IReadOnlyList<DeliveryOutcome> outcomes, NpgsqlDbType type, Func<DeliveryOutcome, T> member) =>
        parameters.Add(new NpgsqlParameter { Value = outcomes.Select(member).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | type });
}
