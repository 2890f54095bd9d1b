using Aspire.Hosting;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.NativeServers.Hosting;

/// <summary>One kind of native server: finds its programs and prepares its start.</summary>
internal interface INativeServer
{
    /// <summary>The display name.</summary>
    string Name { get; }

    /// <summary>Finds or installs the server's programs. Called once, before anything starts.</summary>
    /// <exception cref="DistributedApplicationException">They are not available; the message says what to install.</exception>
    Task FindProgramsAsync(CancellationToken cancellationToken);

    /// <summary>Prepares the server's folder and stops a server that an earlier owner left running there. Called before each start.</summary>
    /// <returns>The spec for the guard; the caller sets the owner.</returns>
    Task<GuardSpec> PrepareAsync(int port, CancellationToken cancellationToken);
}
