using System.Globalization;

namespace StatusUpdates.Worker.Jobs;

/// <summary>Who holds a lease: this start of this process, so that a restarted worker never passes for its predecessor.</summary>
internal sealed class WorkerIdentity
{
    public string Owner { get; } = string.Create(
        CultureInfo.InvariantCulture, $"{Environment.MachineName}:{Environment.ProcessId}:{Guid.CreateVersion7():N}");
}
