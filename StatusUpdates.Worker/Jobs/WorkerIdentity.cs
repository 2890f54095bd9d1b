using System.Globalization;

namespace StatusUpdates.Worker.Jobs;

/// <summary>The owner of a lease: unique for each start of a process, so a restarted worker is never mistaken for its predecessor.</summary>
internal sealed class WorkerIdentity
{
    public string Owner { get; } = string.Create(
        CultureInfo.InvariantCulture, $"{Environment.MachineName}:{Environment.ProcessId}:{Guid.CreateVersion7():N}");
}
