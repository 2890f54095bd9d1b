namespace StatusUpdates.Webhooks.Deliveries;

/// <summary>The deliveries of a plan that can start, as chains: the deliveries of one generation, which are sent one after the other.</summary>
internal sealed class DeliveryChains
{
    // A generation can have a great many updates behind one that fails.
    private const int PendingPerGeneration = 10;

    private readonly DeliveryPlan _plan;
    private readonly Dictionary<string, Queue<Delivery>> _chains = new(StringComparer.Ordinal);

    /// <param name="plan">What there is to deliver.</param>
    /// <param name="isDown">Whether the receiver is considered down.</param>
    /// <param name="maxPending">For how many generations updates may be pending.</param>
    public DeliveryChains(DeliveryPlan plan, bool isDown, int maxPending)
    {
        _plan = plan;
        IsFull = plan.PendingGenerations >= maxPending || plan.Pending >= (long)PendingPerGeneration * maxPending;
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

    /// <summary>Deliveries that have to wait behind another one and have no row yet.</summary>
    public List<Delivery> Waiting { get; } = [];

    /// <summary>Deliveries whose updates are no longer in the log.</summary>
    public List<Delivery> Lost { get; } = [];

    /// <summary>For each entry of the page, whether the cursor has nothing more to do for it.</summary>
    public bool[] Recorded { get; }

    /// <summary>Whether so much is pending that no more of the log is read.</summary>
    public bool IsFull { get; }

    /// <summary>Whether all of the page is in <see cref="Ready"/>, <see cref="Waiting"/> or <see cref="Recorded"/>.</summary>
    public bool IsPageRead { get; private set; }

    /// <summary>Whether due deliveries were skipped because the receiver is down.</summary>
    public bool HasSkippedDue { get; private set; }

    private void AddDue()
    {
        foreach (var delivery in _plan.Due)
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
        // If the last generation's due deliveries were cut off, the rest of them comes before anything new of it.
        var cut = _plan.HasMoreDue ? _plan.Due[^1].Chain : null;
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
            if (logged.IsBlocked && (delivery.Chain == cut || !_chains.ContainsKey(delivery.Chain)))
            {
                Waiting.Add(delivery);
            }
            else
            {
                ChainOf(delivery).Enqueue(delivery);
            }
        }
    }

    // The oldest, and one that was never attempted: what failed so far could be messages that no receiver would accept.
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

        HasSkippedDue = heads.Length > Ready.Count;
        if (fresh >= 0 || IsFull)
        {
            return;
        }

        for (var i = 0; i < _plan.Page.Count; i++)
        {
            if (_plan.Page[i] is { IsRecorded: false, IsBlocked: false } logged && _plan.Target.Wants(logged.Update))
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
