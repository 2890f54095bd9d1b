using StatusUpdates.Data.Cursors;
using StatusUpdates.Webhooks.Messages;

namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>Delivers logs to webhooks: run after run until there is nothing more to do now.</summary>
internal sealed class WebhookConsumer(DeliveryStore store, DeliveryGate gate, DeliveryCourier courier, TimeProvider time) : ICursorConsumer
{
    // Enough to keep all deliveries that may be in flight busy, and little to read again after a crash.
    private const int PageSize = 100;
    private const int DueSize = 200;

    public string Kind => WebhookIds.CursorKind;

    public async Task RunAsync(HeldCursor cursor, CancellationToken stopping)
    {
        using var permit = await gate.TryEnterAsync(cursor.UserId, stopping);
        if (permit is null)
        {
            // Its user's other webhooks are slow: like them, it uses the slots of troubled cursors.
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
        var session = new DeliverySession(time, stopping);
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
                // Disabling also pauses the cursor: this one was claimed before.
                await cursor.SaveAsync(new CursorSave(cursor.Position) { Release = true });
                return;
            }
        }
        while (await new DeliveryRun(plan, cursor, courier).RunAsync(PageSize, session));
    }
}
