using System.Runtime.CompilerServices;

namespace StatusUpdates.AppHost;

/// <summary>
/// Aspire starts each project by <c>dotnet run --no-build</c>, which evaluates it anew. Told by the environment, it looks where this
/// build has put the project, also if the engine was chosen by <c>-p:Aspire=true</c>, which does not reach that far.
/// </summary>
internal static class ProjectsEngine
{
    [ModuleInitializer]
    internal static void PassOn() => Environment.SetEnvironmentVariable("Aspire", "true");
}
