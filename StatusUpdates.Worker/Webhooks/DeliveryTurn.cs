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
/// several generations fail in a row the receiver itself is taken to be down: nothing new is begun, and at each of its oldest delivery's times
/// one attempt is made, until one succeeds.
/// </remarks>
internal sealed class DeliveryTurn
{
    // One or two generations can fail for what is in their messages.
    private const int StruckMeansDown = 3;

    private readonly DeliveryPlan _plan;
    private readonly HeldCursor _cursor;
    private readonly DeliveryCourier _courier;
    private readonly bool _isDown;
    private readonly Queue<Queue<Delivery>> _ready = new();
    private readonly Channel<Finished> _finished;
    private readonly bool[] _recorded;
    private readonly List<DeliveryOutcome> _outcomes = [];
    private readonly HashSet<string> _failedChains = new(StringComparer.Ordinal);

    private int _running;
    private int _told;
    private bool _isPageRead;
    private bool _hasLost;
    private bool _hasSucceeded;
    private bool? _lastSucceeded;
    private bool _hasUnsavedSuccess;
    private string? _disable;
    private TimeSpan? _leaveAlone;
    private TimeSpan? _nextDue;

    public DeliveryTurn(DeliveryPlan plan, HeldCursor cursor, DeliveryCourier courier)
    {
        _plan = plan;
        _cursor = cursor;
        _courier = courier;
        _isDown = plan.Struck >= StruckMeansDown;
        _recorded = new bool[plan.Page.Count];

        // Room for all that is under way: a write never waits, and none is refused.
        _finished = Channel.CreateBounded<Finished>(
            new BoundedChannelOptions(courier.Options.InFlight) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });
        _nextDue = plan.NextDue;
    }

    /// <summary>Works it off.</summary>
    /// <param name="pageSize">How much was asked for: a full page may be followed by another one.</param>
    /// <param name="stopping">Begin nothing new.</param>
    /// <returns>Whether there may be more to do at once; else the cursor is released, or lost.</returns>
    /// <exception cref="CursorLostException">It was lost on the way.</exception>
    public async Task<bool> RunAsync(int pageSize, CancellationToken stopping)
    {
        if (!_plan.Bounds.Covers(_cursor.Position))
        {
            // What it missed is gone, or it is another log: said in a message of its own, that is delivered like all others.
            _outcomes.Add(_courier.Resync(_plan.Bounds.Last));
            await SaveAsync(new CursorSave(_plan.Bounds.Last) { IsTroubled = _cursor.IsTroubled });
            return true;
        }

        Sort();
        try
        {
            while (true)
            {
                Start(stopping);
                if (_running == 0)
                {
                    break;
                }

                if (_outcomes.Count > 0 && !_finished.Reader.TryPeek(out _))
                {
                    // While the next ones are under way.
                    await SaveAsync(Progress());
                }

                Settle(await _finished.Reader.ReadAsync(CancellationToken.None));
                while (_finished.Reader.TryRead(out var another))
                {
                    Settle(another);
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

        return await EndAsync(pageSize, stopping);
    }

    // What is due first, then what the log has that nothing is before.
    private void Sort()
    {
        var chains = new Dictionary<string, Queue<Delivery>>(StringComparer.Ordinal);
        foreach (var delivery in _plan.Due.Select(Delivery.Of))
        {
            if (delivery.Update is null && delivery.Body is null)
            {
                Lose(delivery);
                continue;
            }

            ChainOf(chains, delivery).Enqueue(delivery);
        }

        if (_isDown)
        {
            // One alone, to see whether it still is.
            if (_ready.TryDequeue(out var first))
            {
                _ready.Clear();
                _ready.Enqueue(new Queue<Delivery>([first.Peek()]));
            }

            return;
        }

        if (_plan.Pending >= _courier.Options.MaxPending)
        {
            return;
        }

        // What of the last generation was cut off is still to come before anything new of it.
        var cut = _plan.HasMoreDue ? Delivery.Of(_plan.Due[^1]).Chain : null;
        _isPageRead = true;
        for (var i = 0; i < _plan.Page.Count; i++)
        {
            var logged = _plan.Page[i];
            if (logged.IsRecorded || !_plan.Target.Wants(logged.Update))
            {
                _recorded[i] = true;
                continue;
            }

            var delivery = Delivery.Of(logged, i);
            if (logged.IsBehind && (delivery.Chain == cut || !chains.ContainsKey(delivery.Chain)))
            {
                Wait(delivery);
            }
            else
            {
                ChainOf(chains, delivery).Enqueue(delivery);
            }
        }
    }

    private Queue<Delivery> ChainOf(Dictionary<string, Queue<Delivery>> chains, Delivery delivery)
    {
        if (!chains.TryGetValue(delivery.Chain, out var chain))
        {
            chains[delivery.Chain] = chain = new();
            _ready.Enqueue(chain);
        }

        return chain;
    }

    private void Start(CancellationToken stopping)
    {
        while (_running < _courier.Options.InFlight && MayBegin(stopping) && _ready.TryDequeue(out var chain))
        {
            _running++;
            _ = AttemptAsync(chain);
        }
    }

    private bool MayBegin(CancellationToken stopping) =>
        !stopping.IsCancellationRequested
        && !_cursor.Lost.IsCancellationRequested
        && _disable is null
        && _leaveAlone is null
        && _failedChains.Count < StruckMeansDown;

    private async Task AttemptAsync(Queue<Delivery> chain)
    {
        Finished finished;
        try
        {
            var at = _courier.Now;
            finished = new(chain, at, await _courier.AttemptAsync(_plan.Target, chain.Peek(), _cursor.Lost), null);
        }
        catch (Exception e)
        {
            finished = new(chain, default, null, e);
        }

        _finished.Writer.TryWrite(finished);
    }

    private void Settle(Finished finished)
    {
        _running--;
        if (finished.Result is not { } result)
        {
            // Not the receiver's doing: the lease is lost, or there is no key to sign with.
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(finished.Fault!);
            return;
        }

        var delivery = finished.Chain.Dequeue();
        _lastSucceeded = result.IsSuccess;
        if (result.IsSuccess)
        {
            _hasSucceeded = _hasUnsavedSuccess = true;
            _failedChains.Clear();
            Record(delivery, delivery.Attempted(DeliveryState.Delivered, finished.At, result, null));
            if (finished.Chain.Count > 0)
            {
                _ready.Enqueue(finished.Chain);
            }
        }
        else
        {
            Fail(delivery, finished, result);
        }
    }

    private void Fail(Delivery delivery, Finished finished, AttemptResult result)
    {
        _failedChains.Add(delivery.Chain);
        var isTest = delivery.Type == WebhookMessages.Test;
        var next = isTest ? null : _courier.NextAttempt(delivery.Attempt + 1, result.RetryAfter);
        var state = isTest ? DeliveryState.Failed : DeliveryState.Pending;
        if (result.IsGone)
        {
            _disable = DisabledReason.Gone;
        }
        else if (result.RetryAfter is { } wait)
        {
            // Meant for the receiver as a whole, whichever of its messages was answered so.
            _leaveAlone = wait;
        }

        if (next is null && !isTest)
        {
            // The last attempt. If anything got through meanwhile it is this message that the receiver cannot take; else it is the receiver.
            if (_hasSucceeded || _plan.Target.LastSuccessAt > (delivery.SeriesBeganAt ?? finished.At))
            {
                state = DeliveryState.Failed;
            }
            else
            {
                _disable ??= DisabledReason.Failing;
            }
        }

        Record(delivery, delivery.Attempted(state, finished.At, result, next));
        if (state == DeliveryState.Failed)
        {
            _courier.GivenUp(delivery, isTest);
            if (finished.Chain.Count > 0)
            {
                _ready.Enqueue(finished.Chain);
            }

            return;
        }

        _nextDue = _nextDue < next ? _nextDue : next ?? _nextDue;
        foreach (var waiting in finished.Chain.Where(d => d.PageIndex is not null))
        {
            Wait(waiting);
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
            _recorded[index] = true;
        }
    }

    private CursorSave Progress()
    {
        while (_told < _recorded.Length && _recorded[_told])
        {
            _told++;
        }

        return new CursorSave(_told == 0 ? _cursor.Position : Math.Max(_cursor.Position, _plan.Page[_told - 1].Update.Seq!.Value))
        {
            IsTroubled = _failedChains.Count > 0 || (_cursor.IsTroubled && !_hasSucceeded),
        };
    }

    private async Task<bool> EndAsync(int pageSize, CancellationToken stopping)
    {
        var hasRecovered = _isDown && _hasSucceeded;
        var isHeldUp = !MayBegin(stopping) || (_isDown && !hasRecovered) || _disable is not null;
        var more = !isHeldUp
            && (hasRecovered || _hasLost || _plan.HasMoreDue || (_isPageRead && _plan.Page.Count == pageSize));
        var save = Progress();
        if (more)
        {
            await SaveAsync(save, hasRecovered);
            return true;
        }

        await SaveAsync(
            save with
            {
                Release = _disable is null,
                // What is due already and was left alone is due when the pause is over.
                DueAfter = _isDown || _ready.Count > 0 || _plan.HasMoreDue || _hasLost ? TimeSpan.Zero : _nextDue,
                NotBefore = stopping.IsCancellationRequested ? null : Pause(),
            },
            hasRecovered);
        if (_disable is not null)
        {
            await _courier.DisableAsync(_plan.Target, _cursor, _disable);
        }

        return false;
    }

    // While a receiver is down its log grows: without a pause that would be a reason to look again and again.
    private TimeSpan? Pause()
    {
        var isDown = (_isDown && !_hasSucceeded) || _failedChains.Count >= StruckMeansDown;
        return _leaveAlone ?? (isDown || _plan.Pending >= _courier.Options.MaxPending ? _nextDue ?? _courier.NextAttempt(1, null) : null);
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
                : DeliveryStore.Effect(_plan.Target.Id, outcomes, _lastSucceeded, succeeded, hasRecovered));
    }

    private sealed record Finished(Queue<Delivery> Chain, DateTimeOffset At, AttemptResult? Result, Exception? Fault);
}
