using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Webhooks.Messages;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>
/// Carries out one plan: several generations concurrently, the deliveries of each one after the other. Outcomes are stored as they come, together
/// with the cursor, so a crash repeats at most what was in flight. For one use.
/// </summary>
/// <remarks>
/// A failed delivery holds up only its own generation: later deliveries wait behind it, in rows of their own, and the cursor moves on. If several
/// generations fail in a row, the receiver itself is considered down: until something succeeds, only its oldest delivery is attempted, when it is
/// due, and one that was not attempted yet.
/// </remarks>
internal sealed class DeliveryRun
{
    private readonly DeliveryPlan _plan;
    private readonly HeldCursor _cursor;
    private readonly DeliveryCourier _courier;
    private readonly ReceiverHealth _health;
    private readonly DeliveryChains _chains;
    private readonly Channel<Finished> _finished;
    private readonly List<Delivery> _outcomes = [];

    private int _running;
    private int _recordedCount;
    private bool _hasUnsavedSuccess;
    private bool _hasNoPermit;
    private string? _disableReason;

    public DeliveryRun(DeliveryPlan plan, HeldCursor cursor, DeliveryCourier courier)
    {
        _plan = plan;
        _cursor = cursor;
        _courier = courier;
        _health = new ReceiverHealth(plan);
        _chains = new DeliveryChains(plan, _health.WasDown, courier.Options.MaxPending);

        // Room for everything in flight: a write never waits and never fails.
        _finished = Channel.CreateBounded<Finished>(
            new BoundedChannelOptions(courier.Options.InFlight) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });
    }

    /// <summary>Carries out the plan.</summary>
    /// <param name="pageSize">The page size that was requested: a full page may be followed by another one.</param>
    /// <param name="session">The time limit, and the statistics of the attempts.</param>
    /// <returns>Whether there may be more to do at once; otherwise the cursor is released or lost.</returns>
    /// <exception cref="CursorLostException">The cursor was lost during the run.</exception>
    public async Task<bool> RunAsync(int pageSize, DeliverySession session)
    {
        if (!_plan.Continues(_cursor.Position))
        {
            // What it missed was removed, or it is another log. A message of its own says so, which is delivered like all others.
            Record(_courier.Resync(_plan.Bounds.Last));
            await SaveAsync(new CursorSave(_plan.Bounds.Head) { IsTroubled = _cursor.IsTroubled });
            return true;
        }

        RecordLost();
        _chains.Waiting.ForEach(Record);

        try
        {
            while (true)
            {
                StartAttempts(session);
                if (_running == 0)
                {
                    break;
                }

                if (_outcomes.Count > 0 && !_finished.Reader.TryPeek(out _))
                {
                    // While other attempts are in flight.
                    await SaveAsync(Progress());
                }

                HandleFinished(await _finished.Reader.ReadAsync(CancellationToken.None), session);
                while (_finished.Reader.TryRead(out var another))
                {
                    HandleFinished(another, session);
                }
            }
        }
        finally
        {
            // After any failure too: a holder that has ended must not send anything.
            while (_running > 0)
            {
                await _finished.Reader.ReadAsync(CancellationToken.None);
                _running--;
            }
        }

        return await EndAsync(pageSize, session);
    }

    private bool HasLost => _chains.Lost.Count > 0;

    private void StartAttempts(DeliverySession session)
    {
        while (_running < _courier.Options.InFlight && MayBegin(session) && _chains.Ready.TryDequeue(out var chain))
        {
            _running++;
            _ = AttemptAsync(chain);
        }
    }

    private bool MayBegin(DeliverySession session) =>
        !session.IsOver && !_cursor.Lost.IsCancellationRequested && _disableReason is null && !_hasNoPermit && _health.MayTry;

    private async Task AttemptAsync(Queue<Delivery> chain)
    {
        Finished finished;
        try
        {
            finished = new(chain, await _courier.AttemptAsync(_plan.Target, _cursor, chain.Peek()), null);
        }
        catch (Exception e)
        {
            finished = new(chain, null, e);
        }

        _finished.Writer.TryWrite(finished);
    }

    private void HandleFinished(Finished finished, DeliverySession session)
    {
        _running--;
        if (finished.Fault is { } fault)
        {
            // Not caused by the receiver: the lease is lost.
            ExceptionDispatchInfo.Throw(fault);
        }

        if (finished.Result is not { } result)
        {
            // Nothing was attempted, and no other delivery of this webhook would get a permit now.
            _hasNoPermit = true;
            _chains.Ready.Enqueue(finished.Chain);
            return;
        }

        session.Count(result);
        var delivery = finished.Chain.Dequeue();
        if (!result.IsSuccess)
        {
            HandleFailure(delivery, finished.Chain, result);
            return;
        }

        _health.Succeeded();
        _hasUnsavedSuccess = true;
        Record(delivery.Attempted(DeliveryState.Delivered, result, null));
        Requeue(finished.Chain);
    }

    private void HandleFailure(Delivery delivery, Queue<Delivery> chain, AttemptResult result)
    {
        var isTest = delivery.Type == WebhookMessages.Test;
        var next = isTest ? null : _courier.NextAttempt(delivery.Attempt + 1, result.RetryAfter);
        _health.Failed(delivery.Chain, result, next);

        // After the last attempt: if anything was delivered meanwhile, the receiver cannot take this message; else the receiver itself fails.
        var isGivenUp = isTest
            || (next is null && (_health.HasSucceeded || _plan.Target.LastSuccessAt > (delivery.SeriesBeganAt ?? result.At)));
        _disableReason ??= result.IsGone ? DisabledReason.Gone : next is null && !isGivenUp ? DisabledReason.Failing : null;
        Record(delivery.Attempted(isGivenUp ? DeliveryState.Failed : DeliveryState.Pending, result, next));
        if (isGivenUp)
        {
            _courier.GivenUp(delivery, isTest);
            Requeue(chain);
            return;
        }

        foreach (var waiting in chain.Where(d => d.PageIndex is not null))
        {
            Record(waiting);
        }
    }

    private void Requeue(Queue<Delivery> chain)
    {
        if (chain.Count > 0)
        {
            _chains.Ready.Enqueue(chain);
        }
    }

    // Retention removed the updates first: one resync message says that something is missing.
    private void RecordLost()
    {
        if (HasLost)
        {
            Record(_courier.Resync(_plan.Bounds.Last));
            _chains.Lost.ForEach(lost => Record(lost with { State = DeliveryState.Failed }));
        }
    }

    private void Record(Delivery delivery)
    {
        _outcomes.Add(delivery);
        if (delivery.PageIndex is { } index)
        {
            _chains.Recorded[index] = true;
        }
    }

    private CursorSave Progress()
    {
        while (_recordedCount < _chains.Recorded.Length && _chains.Recorded[_recordedCount])
        {
            _recordedCount++;
        }

        var position = _recordedCount == 0 ? _cursor.Position : _plan.Page[_recordedCount - 1].Update.Position!.Value;
        return new CursorSave(position.Seq > _cursor.Position.Seq ? position : _cursor.Position)
        {
            IsTroubled = _health.IsFailing || (_cursor.IsTroubled && !_health.HasSucceeded),
        };
    }

    private async Task<bool> EndAsync(int pageSize, DeliverySession session)
    {
        var isHeldUp = !MayBegin(session) || (_health.WasDown && !_health.HasSucceeded);
        var isPageLeft = _chains.IsPageRead ? _plan.Page.Count == pageSize : _chains.IsFull && _health.LastSucceeded is not null;
        var save = Progress();
        if (!isHeldUp && (_health.HasRecovered || HasLost || _plan.HasMoreDue || isPageLeft))
        {
            await SaveAsync(save, _health.HasRecovered);
            return true;
        }

        // What is due already and was skipped is due when the pause is over.
        var hasSkipped = _chains.Ready.Count > 0 || _chains.HasSkippedDue || HasLost || _plan.HasMoreDue || _health.HasRecovered;
        var soon = _courier.NextAttempt(1, null) ?? TimeSpan.Zero;
        await SaveAsync(
            save with
            {
                Release = _disableReason is null,
                DueAfter = hasSkipped ? TimeSpan.Zero : _health.NextDue,
                NotBefore = session.IsStopping
                    ? null
                    : _health.Pause(soon, _chains.HasSkippedDue)
                        ?? (_hasNoPermit ? DeliveryGate.Pause : _chains.IsFull && !hasSkipped ? _health.NextDue : null),
                IsTroubled = save.IsTroubled || session.IsSlow || _hasNoPermit,
            },
            _health.HasRecovered);
        if (_disableReason is not null)
        {
            await _courier.DisableAsync(_plan.Target, _cursor, _disableReason);
        }

        return false;
    }

    private async Task SaveAsync(CursorSave save, bool hasRecovered = false)
    {
        var outcomes = _outcomes.ToArray();
        var succeeded = _hasUnsavedSuccess;
        _outcomes.Clear();
        _hasUnsavedSuccess = false;
        await _cursor.SaveAsync(
            save,
            outcomes.Length == 0 && !hasRecovered
                ? null
                : DeliveryStore.Effect(_plan.Target.Id, outcomes, _health.LastSucceeded, succeeded, hasRecovered));
    }

    private sealed record Finished(Queue<Delivery> Chain, AttemptResult? Result, Exception? Fault);
}
