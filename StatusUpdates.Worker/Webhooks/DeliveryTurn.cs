using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Worker.Webhooks;

/// <summary>
/// Works off one plan: several generations side by side, the deliveries of each one after the other, and what came of them stored as it comes,
/// together with the cursor. So a crash repeats at most what was under way. For one use.
/// </summary>
/// <remarks>
/// A delivery that fails holds up its generation alone: what comes after it waits behind it, in rows of its own, and the cursor goes on. When
/// several generations fail in a row the receiver itself is taken to be down: its oldest delivery is attempted at its times, and beside it one
/// that was not attempted yet, until something succeeds.
/// </remarks>
internal sealed class DeliveryTurn
{
    private readonly DeliveryPlan _plan;
    private readonly HeldCursor _cursor;
    private readonly DeliveryCourier _courier;
    private readonly ReceiverHealth _health;
    private readonly DeliveryChains _chains;
    private readonly Channel<Finished> _finished;
    private readonly List<DeliveryOutcome> _outcomes = [];

    private int _running;
    private int _told;
    private bool _hasLost;
    private bool _hasUnsavedSuccess;
    private bool _hasNoPlace;
    private string? _disable;

    public DeliveryTurn(DeliveryPlan plan, HeldCursor cursor, DeliveryCourier courier)
    {
        _plan = plan;
        _cursor = cursor;
        _courier = courier;
        _health = new ReceiverHealth(plan);
        _chains = new DeliveryChains(plan, _health.WasDown, courier.Options.MaxPending);

        // Room for all that is under way: a write never waits, and none is refused.
        _finished = Channel.CreateBounded<Finished>(
            new BoundedChannelOptions(courier.Options.InFlight) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });
    }

    /// <summary>Works it off.</summary>
    /// <param name="pageSize">How much was asked for: a full page may be followed by another one.</param>
    /// <param name="holding">How long it may go on, and what that came to.</param>
    /// <returns>Whether there may be more to do at once; else the cursor is released, or lost.</returns>
    /// <exception cref="CursorLostException">It was lost on the way.</exception>
    public async Task<bool> RunAsync(int pageSize, Holding holding)
    {
        if (!_plan.Continues(_cursor.Position))
        {
            // What it missed is gone, or it is another log: said in a message of its own, that is delivered like all others.
            _outcomes.Add(_courier.Resync(_plan.Bounds.Last));
            await SaveAsync(new CursorSave(_plan.Bounds.Head) { IsTroubled = _cursor.IsTroubled });
            return true;
        }

        foreach (var lost in _chains.Lost)
        {
            Lose(lost);
        }

        foreach (var waiting in _chains.Waiting)
        {
            Wait(waiting);
        }

        try
        {
            while (true)
            {
                Start(holding);
                if (_running == 0)
                {
                    break;
                }

                if (_outcomes.Count > 0 && !_finished.Reader.TryPeek(out _))
                {
                    // While the next ones are under way.
                    await SaveAsync(Progress());
                }

                Settle(await _finished.Reader.ReadAsync(CancellationToken.None), holding);
                while (_finished.Reader.TryRead(out var another))
                {
                    Settle(another, holding);
                }
            }
        }
        finally
        {
            // Whatever went wrong: nothing is sent any more by a holder that has ended.
            while (_running > 0)
            {
                await _finished.Reader.ReadAsync(CancellationToken.None);
                _running--;
            }
        }

        return await EndAsync(pageSize, holding);
    }

    private void Start(Holding holding)
    {
        while (_running < _courier.Options.InFlight && MayBegin(holding) && _chains.Ready.TryDequeue(out var chain))
        {
            _running++;
            _ = AttemptAsync(chain);
        }
    }

    private bool MayBegin(Holding holding) =>
        !holding.IsOver && !_cursor.Lost.IsCancellationRequested && _disable is null && !_hasNoPlace && _health.MayTry;

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

    private void Settle(Finished finished, Holding holding)
    {
        _running--;
        if (finished.Fault is { } fault)
        {
            // Not the receiver's doing: the lease is lost.
            ExceptionDispatchInfo.Throw(fault);
        }

        if (finished.Attempt is not var (at, result))
        {
            // Nothing was attempted, and nothing more of this webhook would get a place now.
            _hasNoPlace = true;
            _chains.Ready.Enqueue(finished.Chain);
            return;
        }

        holding.Count(result);
        var delivery = finished.Chain.Dequeue();
        if (!result.IsSuccess)
        {
            Fail(delivery, finished.Chain, at, result);
            return;
        }

        _health.Succeeded();
        _hasUnsavedSuccess = true;
        Record(delivery, delivery.Attempted(DeliveryState.Delivered, at, result, null));
        GoOn(finished.Chain);
    }

    private void Fail(Delivery delivery, Queue<Delivery> chain, DateTimeOffset at, AttemptResult result)
    {
        var isTest = delivery.Type == WebhookMessages.Test;
        var next = isTest ? null : _courier.NextAttempt(delivery.Attempt + 1, result.RetryAfter);
        _health.Failed(delivery.Chain, result, next);

        // The last attempt. If anything got through meanwhile it is this message that the receiver cannot take; else it is the receiver.
        var isGivenUp = isTest
            || (next is null && (_health.HasSucceeded || _plan.Target.LastSuccessAt > (delivery.SeriesBeganAt ?? at)));
        _disable ??= result.IsGone ? DisabledReason.Gone : next is null && !isGivenUp ? DisabledReason.Failing : null;
        Record(delivery, delivery.Attempted(isGivenUp ? DeliveryState.Failed : DeliveryState.Pending, at, result, next));
        if (isGivenUp)
        {
            _courier.GivenUp(delivery, isTest);
            GoOn(chain);
            return;
        }

        foreach (var waiting in chain.Where(d => d.PageIndex is not null))
        {
            Wait(waiting);
        }
    }

    private void GoOn(Queue<Delivery> chain)
    {
        if (chain.Count > 0)
        {
            _chains.Ready.Enqueue(chain);
        }
    }

    private void Wait(Delivery delivery) => Record(delivery, delivery.Waiting());

    // Retention was faster: its owner is told that something is missing, once for all of it.
    private void Lose(Delivery delivery)
    {
        if (!_hasLost)
        {
            _hasLost = true;
            _outcomes.Add(_courier.Resync(_plan.Bounds.Last));
        }

        Record(delivery, delivery.Lost());
    }

    private void Record(Delivery delivery, DeliveryOutcome outcome)
    {
        _outcomes.Add(outcome);
        if (delivery.PageIndex is { } index)
        {
            _chains.Recorded[index] = true;
        }
    }

    private CursorSave Progress()
    {
        while (_told < _chains.Recorded.Length && _chains.Recorded[_told])
        {
            _told++;
        }

        var told = _told == 0 ? _cursor.Position : _plan.Page[_told - 1].Update.Position!.Value;
        return new CursorSave(told.Seq > _cursor.Position.Seq ? told : _cursor.Position)
        {
            IsTroubled = _health.IsFailing || (_cursor.IsTroubled && !_health.HasSucceeded),
        };
    }

    private async Task<bool> EndAsync(int pageSize, Holding holding)
    {
        var isHeldUp = !MayBegin(holding) || (_health.WasDown && !_health.HasSucceeded);
        var isPageLeft = _chains.IsPageRead ? _plan.Page.Count == pageSize : _chains.IsFull && _health.LastSucceeded is not null;
        var save = Progress();
        if (!isHeldUp && (_health.HasRecovered || _hasLost || _plan.HasMoreDue || isPageLeft))
        {
            await SaveAsync(save, _health.HasRecovered);
            return true;
        }

        // What is due already and was left alone is due when the pause is over.
        var hasLeft = _chains.Ready.Count > 0 || _chains.HasLeftDue || _hasLost || _plan.HasMoreDue || _health.HasRecovered;
        var soon = _courier.NextAttempt(1, null) ?? TimeSpan.Zero;
        await SaveAsync(
            save with
            {
                Release = _disable is null,
                DueAfter = hasLeft ? TimeSpan.Zero : _health.NextDue,
                NotBefore = holding.IsStopping
                    ? null
                    : _health.Pause(soon, _chains.HasLeftDue)
                        ?? (_hasNoPlace ? DeliveryGate.Pause : _chains.IsFull && !hasLeft ? _health.NextDue : null),
                IsTroubled = save.IsTroubled || holding.IsSlow || _hasNoPlace,
            },
            _health.HasRecovered);
        if (_disable is not null)
        {
            await _courier.DisableAsync(_plan.Target, _cursor, _disable);
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

    private sealed record Finished(Queue<Delivery> Chain, (DateTimeOffset At, AttemptResult Result)? Attempt, Exception? Fault);
}
