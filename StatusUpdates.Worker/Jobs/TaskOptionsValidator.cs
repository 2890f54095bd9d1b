using Microsoft.Extensions.Options;
using StatusUpdates.Data.Types;
using StatusUpdates.Worker.Processors;

namespace StatusUpdates.Worker.Jobs;

/// <summary>Settings of a task are for one that is registered, or that this worker has a provider for.</summary>
internal sealed class TaskOptionsValidator(GenerationTypes types, ProvidedTasks provided) : IValidateOptions<WorkerOptions>
{
    private const string Root = $"{WorkerOptions.SectionName}:{nameof(WorkerOptions.Tasks)}";

    public ValidateOptionsResult Validate(string? name, WorkerOptions options)
    {
        string[] known = [.. types.TaskNames.Union(provided.Names, StringComparer.Ordinal)];
        string[] failures =
        [
            .. options.Tasks.Keys.Except(known, StringComparer.Ordinal)
                .Select(task => $"{Root}:{task} is not a task; tasks are {string.Join(", ", known)}."),
            .. options.Tasks.Where(task => task.Value.Concurrency is < 1 or > TaskOptions.MaxConcurrency)
                .Select(task => $"{Root}:{task.Key}:{nameof(TaskOptions.Concurrency)} must be between 1 and {TaskOptions.MaxConcurrency}."),
        ];
        return failures.Length > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
    }
}
