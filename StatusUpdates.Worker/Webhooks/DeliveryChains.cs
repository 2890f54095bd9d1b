using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Worker.Webhooks;

/// <summary>What of a plan can be begun, as chains: the deliveries of one generation, to go out one after the other.</summary>
internal sealed class DeliveryChains
{
    // A generation can have very many updates behind one that fails.
    private const int PendingForEachGeneration = 10;

    private readonly DeliveryPlan _plan;
    private readonly Dictionary<string, Queue<Delivery>> _chains = new(StringComparer.Ordinal);

    /// <param name="plan">What there is to do.</param>
    /// <param name="isDown">Whether the receiver is taken to be down.</param>
    /// <param name="maxPending">Of how many generations updates may wait.</param>
    public DeliveryChains(DeliveryPlan plan, bool isDown, int maxPending)
    {
        _plan = plan;
        IsFull = plan.PendingGenerations >= maxPending || plan.Pending >= (long)PendingForEachGeneration * maxPending;
        Recorded = new bool[plan.Page.Count];
        AddDue();
        if (isDown)
        {
            KeepProbes();
        }
        else if (!IsFull)
        {
            AddPage();
        }
    }

    /// <summary>Chains whose first delivery can be attempted, in the order in which they are due.</summary>
    public Queue<Queue<Delivery>> Ready { get; } = new();

    /// <summary>Deliveries that have to wait behind another one, and have no row yet.</summary>
    public List<Delivery> Waiting { get; } = [];

    /// <summary>Deliveries whose updates are no longer in the log.</summary>
    public List<Delivery> Lost { get; } = [];

    /// <summary>For each entry of the page whether nothing is to be done for it any more, at least not by the cursor.</summary>
    public bool[] Recorded { get; }

    /// <summary>Whether so much waits that the log is not read on.</summary>
    public bool IsFull { get; }

    /// <summary>Whether all of the page is in <see cref="Ready"/>, <see cref="Waiting"/> or <see cref="Recorded"/>.</summary>
    public bool IsPageRead { get; private set; }

    /// <summary>Whether something is due that is left alone because the receiver is down.</summary>
    public bool HasLeftDue { get; private set; }

    private void AddDue()
    {
        foreach (var delivery in _plan.Due.Select(Delivery.Of))
        {
            if (delivery.Update is null && delivery.Body is null)
            {
                Lost.Add(delivery);
            }
            else
            {
                ChainOf(delivery).Enqueue(delivery);
            }
        }
    }

    private void AddPage()
    {
        // What of the last generation was cut off is still to come before anything new of it.
        var cut = _plan.HasMoreDue ? Delivery.Of(_plan.Due[^1]).Chain : null;
        IsPageRead = true;
        for (var i = 0; i < _plan.Page.Count; i++)
        {
            var logged = _plan.Page[i];
            if (logged.IsRecorded || !_plan.Target.Wants(logged.Update))
            {
                Recorded[i] = true;
                continue;
            }

            var delivery = Delivery.Of(logged, i);
            if (logged.IsBehind && (delivery.Chain == cut || !_chains.ContainsKey(delivery.Chain)))
            {
                Waiting.Add(delivery);
            }
            else
            {
                ChainOf(delivery).Enqueue(delivery);
            }
        }
    }

    // The oldest, and one that was never tried: what failed so far could be what no receiver takes.
    private void KeepProbes()
    {
        var heads = Ready.Select(chain => chain.Peek()).ToArray();
        Ready.Clear();
        var fresh = Array.FindIndex(heads, head => head.Attempt == 0);
        if (heads.Length > 0)
        {
            Ready.Enqueue(new([heads[0]]));
        }

        if (fresh > 0)
        {
            Ready.Enqueue(new([heads[fresh]]));
        }

        HasLeftDue = heads.Length > Ready.Count;
        if (fresh >= 0 || IsFull)
        {
            return;
        }

        for (var i = 0; i < _plan.Page.Count; i++)
        {
            if (_plan.Page[i] is { IsRecorded: false, IsBehind: false } logged && _plan.Target.Wants(logged.Update))
            {
                Ready.Enqueue(new([Delivery.Of(logged, i)]));
                return;
            }
        }
    }

    private Queue<Delivery> ChainOf(Delivery delivery)
    {
        if (!_chains.TryGetValue(delivery.Chain, out var chain))
        {
            _chains[delivery.Chain] = chain = new();
            Ready.Enqueue(chain);
        }

        return chain;
    }
}
