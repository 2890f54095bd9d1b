using System.Collections.Frozen;
using StatusUpdates.Data.Schema;

namespace StatusUpdates.Worker.Processors;

/// <summary>Which processor does which task.</summary>
internal sealed class ProcessorRegistry(IEnumerable<BaseProcessor> processors)
{
    private readonly FrozenDictionary<GenerationTask, BaseProcessor> _processors = processors.ToFrozenDictionary(p => p.GenerationTask);

    /// <summary>The tasks that this worker can do: what it claims.</summary>
    public IReadOnlyList<GenerationTask> Tasks => _processors.Keys;

    public BaseProcessor Find(GenerationTask task) => _processors[task];
}
