using Aspire.Hosting;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.NativeServers.Hosting;

/// <summary>One kind of native server: what it needs on the machine, and how a start of it is prepared.</summary>
internal interface INativeServer
{
    /// <summary>What people call it.</summary>
    string Name { get; }

    /// <summary>Finds or fetches the server's programs. Runs once, before anything starts.</summary>
    /// <exception cref="DistributedApplicationException">They cannot be had; the message says what to install.</exception>
    Task FindProgramsAsync(CancellationToken cancellationToken);

    /// <summary>Makes the server's folder ready for a start and stops what an earlier owner left running there. Runs before each start.</summary>
    /// <returns>How a guard runs the server; the owner is the caller's to name.</returns>
    Task<GuardSpec> PrepareAsync(int port, CancellationToken cancellationToken);
}
