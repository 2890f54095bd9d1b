using StatusUpdates.LocalHosting.Hosting;
using StatusUpdates.LocalHosting.Native;

namespace StatusUpdates.LocalHosting.Engine;

/// <summary>Looks at all ports before anything starts, so that one message names every taken one, and gives projects theirs.</summary>
internal static class PortPlan
{
    /// <exception cref="DistributedApplicationException">Ports are taken; the message has a line for each, with its holder and the way out.</exception>
    public static void Allocate(IEnumerable<IResource> resources, EngineSettings settings)
    {
        List<string> taken = [];
        foreach (var resource in resources)
        {
            switch (resource)
            {
                case PostgresServerResource postgres:
                    Check(resource, settings.PortOf(postgres, postgres.Port), taken);
                    break;
                case RedisResource redis:
                    Check(resource, settings.PortOf(redis, redis.Port), taken);
                    break;
                case ProjectResource project:
                    foreach (var endpoint in project.Endpoints)
                    {
                        var port = settings.PortOf(project, endpoint.WantedPort);
                        Check(resource, port, taken);
                        endpoint.Port = port != 0 ? port : LoopbackPort.FindFree();
                    }

                    break;
            }
        }

        if (taken.Count > 0)
        {
            throw new DistributedApplicationException(string.Join(Environment.NewLine, taken));
        }
    }

    private static void Check(IResource resource, int port, List<string> taken)
    {
        if (port == 0 || LoopbackPort.IsFree(port))
        {
            return;
        }

        var holder = PortHolder.Describe(port) is { } known ? $" by {known}" : "";
        taken.Add($"Port {port} for {resource.Name} is taken{holder}. Stop that program, or set {EngineSettings.PortVariablePrefix}{resource.Name} to another port (0: a free one).");
    }
}
