using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Worker.Webhooks;

/// <summary>Delivers logs to webhooks: turn after turn until there is nothing more to do now.</summary>
internal sealed class WebhookConsumer(DeliveryStore store, DeliveryGate gate, DeliveryCourier courier, TimeProvider time) : ICursorConsumer
{
    // Enough to keep what may be in flight busy, and little to look at again after a crash.
    private const int PageSize = 100;
    private const int DueSize = 200;

    /// <inheritdoc/>
    public string Kind => WebhookIds.CursorKind;

    /// <inheritdoc/>
    public async Task RunAsync(HeldCursor cursor, CancellationToken stopping)
    {
        using var place = await gate.TryEnterAsync(cursor.UserId, stopping);
        if (place is null)
        {
            // Its user's others are slow: like them it goes by the slots of those that are.
            WebhookTelemetry.Postponed();
            await cursor.SaveAsync(new CursorSave(cursor.Position)
            {
                Release = true,
                IsTroubled = true,
                DueAfter = TimeSpan.Zero,
                NotBefore = DeliveryGate.Pause,
            });
            return;
        }

        var webhookId = WebhookIds.WebhookOf(cursor.Owner);
        var holding = new Holding(time, stopping);
        DeliveryPlan? plan;
        do
        {
            plan = await store.PlanAsync(webhookId, cursor, PageSize, DueSize, stopping);
            if (plan is null)
            {
                throw new CursorLostException(cursor.Owner);
            }

            if (plan.Target.IsDisabled)
            {
                // Its cursor is paused with it: this one was claimed before.
                await cursor.SaveAsync(new CursorSave(cursor.Position) { Release = true });
                return;
            }
        }
        while (await new DeliveryTurn(plan, cursor, courier).RunAsync(PageSize, holding));
    }
}
