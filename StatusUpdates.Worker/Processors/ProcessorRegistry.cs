using System.Collections.Frozen;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Worker.Processors;

/// <summary>The processors by task: one for each task that has a provider.</summary>
internal sealed class ProcessorRegistry(IEnumerable<BaseProcessor> processors)
{
    private readonly FrozenDictionary<GenerationTask, BaseProcessor> _processors = processors.ToFrozenDictionary(p => p.GenerationTask);
    private readonly FrozenSet<GenerationType> _types = processors.Select(p => p.GenerationType).ToFrozenSet();

    /// <summary>The tasks that this worker can run, and so claims.</summary>
    public IReadOnlyList<GenerationTask> Tasks => _processors.Keys;

    /// <summary>The tasks that it leaves to other workers, because it has no provider for them.</summary>
    public IEnumerable<GenerationTask> OtherTasks => Enum.GetValues<GenerationTask>().Except(Tasks);

    public BaseProcessor Find(GenerationTask task) => _processors[task];

    /// <summary>Whether it can run a task of this type.</summary>
    public bool MayRun(GenerationType type) => _types.Contains(type);
}
