using StatusUpdates.LocalHosting.Engine;

namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>How a command went.</summary>
public sealed class ExecuteCommandResult
{
    public required bool Success { get; init; }

    /// <summary>What went wrong; null on success.</summary>
    public string? Message { get; init; }
}

/// <summary>Stops and starts single resources of a running application.</summary>
public sealed class ResourceCommandService
{
    private readonly LocalEngine _engine;

    internal ResourceCommandService(LocalEngine engine)
    {
        _engine = engine;
    }

    /// <summary>Executes <c>start</c>, <c>stop</c> or <c>restart</c> and waits for its end, though not for the resource's health.</summary>
    /// <param name="resourceId">A resource's name if it has one instance, or an instance's id.</param>
    /// <param name="commandName">The command.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public Task<ExecuteCommandResult> ExecuteCommandAsync(string resourceId, string commandName, CancellationToken cancellationToken = default) =>
        _engine.Find(resourceId) is { } instance
            ? ExecuteAsync([instance], commandName, cancellationToken)
            : Task.FromResult(new ExecuteCommandResult { Success = false, Message = $"Resource '{resourceId}' not found." });

    /// <summary>Executes a command on every instance of the resource.</summary>
    public Task<ExecuteCommandResult> ExecuteCommandAsync(IResource resource, string commandName, CancellationToken cancellationToken = default) =>
        ExecuteAsync(_engine.InstancesOf(resource), commandName, cancellationToken);

    private static async Task<ExecuteCommandResult> ExecuteAsync(
        IReadOnlyList<SupervisedInstance> instances, string commandName, CancellationToken cancellationToken)
    {
        Func<SupervisedInstance, Task>? command = commandName switch
        {
            "start" => instance => instance.StartAsync(cancellationToken),
            "stop" => instance => instance.StopAsync(cancellationToken),
            "restart" => async instance =>
            {
                await instance.StopAsync(cancellationToken);
                await instance.StartAsync(cancellationToken);
            }
            ,
            _ => null,
        };
        if (command is null || instances.Count == 0)
        {
            return new ExecuteCommandResult { Success = false, Message = $"Command '{commandName}' is not available for this resource." };
        }

        await Task.WhenAll(instances.Select(command));
        return new ExecuteCommandResult { Success = true };
    }
}
