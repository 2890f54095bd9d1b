using StatusUpdates.LocalHosting.Hosting;

namespace StatusUpdates.LocalHosting.Engine;

/// <summary>What a person sees of a run: progress, one table when all is up, and the logs behind their resource's name. Thread-safe.</summary>
internal sealed class ConsoleView(TextWriter output, IReadOnlyCollection<IResource> resources, TimeProvider time, bool isTerminal)
{
    private const string Reset = "\e[0m";
    private const string Dim = "\e[2m";
    private const string Bold = "\e[1m";
    private static readonly string[] Colours = ["\e[36m", "\e[35m", "\e[33m", "\e[32m", "\e[34m", "\e[96m", "\e[95m"];

    private readonly Lock _gate = new();
    private readonly long _began = time.GetTimestamp();
    private readonly bool _colours = isTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
    private readonly Dictionary<string, string> _shown = [];
    private readonly int _width = resources.Select(resource => resource.Name.Length + 2).DefaultIfEmpty(8).Max();
    private StateBoard? _board;
    private bool _isUp;

    public void Begin(string stateDirectory) => Say($"StatusUpdates on the local engine: native processes, state in {stateDirectory}");

    public void Say(string text)
    {
        lock (_gate)
        {
            output.WriteLine(Paint(Dim, text));
        }
    }

    public void Log(string instanceId, string line)
    {
        lock (_gate)
        {
            output.WriteLine($"{Paint(ColourOf(instanceId), instanceId.PadRight(_width))} {Paint(Dim, "|")} {line}");
        }
    }

    /// <summary>From now on changes of state are shown, and the table once all instances are up or have failed.</summary>
    public void Watch(StateBoard board)
    {
        _board = board;
        board.Changed += Show;
    }

    private void Show(InstanceState instance)
    {
        lock (_gate)
        {
            var now = Describe(instance);
            if (_shown.TryGetValue(instance.Id, out var before) && before == now)
            {
                return;
            }

            _shown[instance.Id] = now;
            var address = instance.IsHealthy && instance.Address.Length > 0 ? $" at {instance.Address}" : "";
            output.WriteLine($"{Paint(ColourOf(instance.Id), instance.Id.PadRight(_width))} {Paint(Dim, "|")} {Paint(Bold, now)}{address}");
            var all = _board?.All ?? [];
            if (!_isUp && all.All(each => each.IsHealthy || each.State == KnownResourceStates.FailedToStart))
            {
                _isUp = true;
                ShowTable(all);
            }
        }
    }

    private void ShowTable(IReadOnlyList<InstanceState> all)
    {
        string[] head = ["resource", "state", "address"];
        List<string[]> rows = [.. all.Select(instance => (string[])[instance.Id, Describe(instance), instance.Address])];
        var widths = Enumerable.Range(0, head.Length).Select(column => rows.Append(head).Max(row => row[column].Length)).ToArray();
        string Line(string[] row) => "  " + string.Join("   ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd();

        output.WriteLine();
        output.WriteLine(Paint(Bold, Line(head)));
        output.WriteLine(Paint(Dim, Line([.. widths.Select(width => new string('-', width))])));
        foreach (var row in rows)
        {
            output.WriteLine(Line(row));
        }

        output.WriteLine();
        if (all.All(instance => instance.IsHealthy))
        {
            output.WriteLine($"  Ready after {time.GetElapsedTime(_began).TotalSeconds:0.0} s.");
        }

        foreach (var project in resources.OfType<ProjectResource>().Where(project => project.IsExternal && project.Endpoints.Count > 0))
        {
            output.WriteLine(Paint(Bold, $"  Open {project.Endpoints[0].Url}"));
        }

        output.WriteLine("  Ctrl+C stops everything.");
        output.WriteLine();
        output.Flush();
    }

    private static string Describe(InstanceState instance) =>
        instance.IsHealthy ? "Healthy"
        : instance.State == KnownResourceStates.Running ? "Running, not healthy yet"
        : instance.State;

    private string ColourOf(string instanceId)
    {
        var index = resources.Select(resource => resource.Name).ToList().FindIndex(name => instanceId == name || instanceId.StartsWith($"{name}-", StringComparison.Ordinal));
        return Colours[Math.Max(index, 0) % Colours.Length];
    }

    private string Paint(string colour, string text) => _colours ? $"{colour}{text}{Reset}" : text;
}
