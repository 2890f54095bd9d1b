using System.Diagnostics;
using Npgsql;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;

namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>Deliveries to webhooks, and their outcomes. Thread-safe; one instance serves a process.</summary>
internal sealed class DeliveryStore(StatusDatabase database)
{
    /// <summary>
    /// Reads what there is to deliver, in one round trip: at most <paramref name="page"/> log entries and <paramref name="due"/> due deliveries.
    /// </summary>
    /// <returns>Null if there is no such webhook (any more).</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public Task<DeliveryPlan?> PlanAsync(
        string webhookId, HeldCursor cursor, int page, int due, CancellationToken cancellationToken) =>
        StatusDatabase.ReadAsync(token => TryPlanAsync(webhookId, cursor, page, due, token), cancellationToken);

    /// <summary>The effect of a save of deliveries' outcomes, and of what they mean for the webhook.</summary>
    /// <param name="webhookId">The webhook.</param>
    /// <param name="outcomes">The deliveries, each once.</param>
    /// <param name="lastSucceeded">Whether the last attempt succeeded; null if there was none.</param>
    /// <param name="hasSucceeded">Whether any attempt succeeded.</param>
    /// <param name="hasRecovered">Whether deliveries that were postponed because everything failed are due now.</param>
    public static CursorEffect Effect(
        string webhookId, IReadOnlyList<Delivery> outcomes, bool? lastSucceeded, bool hasSucceeded, bool hasRecovered) => new(
        DeliverySql.Outcomes,
        parameters =>
        {
            parameters.Add(new NpgsqlParameter<string> { TypedValue = webhookId });
            Add(parameters, outcomes, static o => o.Id);
            Add(parameters, outcomes, static o => o.Seq);
            Add(parameters, outcomes, static o => o.GenerationId);
            Add(parameters, outcomes, static o => o.MessageId);
            Add(parameters, outcomes, static o => o.Type);
            Add(parameters, outcomes, static o => o.Body);
            Add(parameters, outcomes, static o => o.State);
            Add(parameters, outcomes, static o => o.Attempt);
            Add(parameters, outcomes, static o => o.NextAttempt);
            Add(parameters, outcomes, static o => o.WasAttempted);
            Add(parameters, outcomes, static o => o.StatusCode);
            Add(parameters, outcomes, static o => o.Attempts.Count == 0 ? null : DeliveryAttempts.Encode(o.Attempts));
            parameters.Add(new NpgsqlParameter<bool> { TypedValue = hasSucceeded });
            parameters.Add(new NpgsqlParameter<bool> { TypedValue = lastSucceeded == false });
            parameters.Add(new NpgsqlParameter<bool> { TypedValue = hasRecovered });
        });

    /// <summary>Stops deliveries to a webhook until its owner enables it again; its cursor keeps its position.</summary>
    /// <param name="webhookId">The webhook.</param>
    /// <param name="cursor">Its cursor, which is lost by this. If it was lost before, nothing happens.</param>
    /// <param name="reason">Shown to the owner: <c>gone</c> or <c>failing</c>.</param>
    /// <exception cref="NpgsqlException">The database does not answer; the next failure will disable it.</exception>
    public Task DisableAsync(string webhookId, HeldCursor cursor, string reason) => database.RetryAsync(
        token =>
        {
            var command = new NpgsqlCommand(DeliverySql.Disable);
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = webhookId });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = cursor.Owner });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = cursor.Epoch });
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
        var (pending, failing) = (reader.GetInt32(6), reader.GetInt32(7));
        TimeSpan? nextDue = reader.IsDBNull(8) ? null : reader.GetTimeSpan(8);
        var waiting = reader.GetInt32(9);

        await reader.NextResultAsync(cancellationToken);
        var due = await reader.ReadAllAsync(ReadDelivery, cancellationToken);
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
            if (!reader.IsDBNull(EventReader.BoundsCount))
            {
                page.Add(ReadLogged(reader));
            }
        }

        if (startedAt is not null && page.Count + due.Count > 0)
        {
            using var span = database.Spans.RecordMany(
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
            FailingGenerations = failing,
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

    private static Delivery ReadDelivery(NpgsqlDataReader reader) => new()
    {
        Id = reader.GetString(0),
        MessageId = reader.GetString(1),
        Type = reader.GetString(2),
        Body = reader.IsDBNull(3) ? null : reader.GetString(3),
        Seq = reader.IsDBNull(4) ? null : reader.GetInt64(4),
        GenerationId = reader.IsDBNull(5) ? null : reader.GetString(5),
        Attempt = reader.GetInt32(6),
        CreatedAt = reader.GetFieldValue<DateTimeOffset>(7),
        Attempts = DeliveryAttempts.Parse(reader.IsDBNull(8) ? null : reader.GetString(8)),
        Update = reader.IsDBNull(9) ? null : EventReader.Read(reader, 9),
    };

    private static LoggedUpdate ReadLogged(NpgsqlDataReader reader)
    {
        const int Entry = EventReader.BoundsCount;
        const int State = Entry + EventReader.Count;
        return new(
            EventReader.Read(reader, Entry), EventReader.ReadUpdateId(reader, Entry), reader.GetBoolean(State), reader.GetBoolean(State + 1));
    }

    private static void Add(NpgsqlBatch batch, string sql, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(parameter);
        }

        batch.BatchCommands.Add(command);
    }

    private static void Add<T>(NpgsqlParameterCollection parameters, IReadOnlyList<Delivery> outcomes, Func<Delivery, T> member) =>
        parameters.Add(new NpgsqlParameter<T[]> { TypedValue = [.. outcomes.Select(member)] });
}
