using System.Collections.Frozen;
using StatusUpdates.Data.Types;

namespace StatusUpdates.Worker.Processors;

/// <summary>The processors by task: one for each task that has a provider.</summary>
internal sealed class ProcessorRegistry(IEnumerable<BaseProcessor> processors, GenerationTypes types)
{
    private readonly FrozenDictionary<string, BaseProcessor> _processors = processors.ToFrozenDictionary(p => p.TaskName, StringComparer.Ordinal);

    /// <summary>The tasks that this worker can run, and so claims.</summary>
    public IReadOnlyList<string> Tasks => _processors.Keys;

    /// <summary>The registered tasks that it leaves to other workers, because it has no provider for them.</summary>
    public IEnumerable<string> OtherTasks => types.TaskNames.Except(Tasks, StringComparer.Ordinal);

    public BaseProcessor Find(string task) => _processors[task];

    /// <summary>The tasks that it can run of this type. A task that is not registered may be of any type.</summary>
    public IReadOnlyList<string> TasksOf(string type) => [.. Tasks.Where(task => types.TypeOf(task) is not { } owner || owner.Name == type)];
}
