using StatusUpdates.LocalHosting.Engine;

namespace StatusUpdates.LocalHosting.Hosting;

public static class ProjectResourceBuilderExtensions
{
    /// <summary>Adds a project. Its endpoints and part of its environment come from its launch profile.</summary>
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new()
    {
        var metadata = new TProject();
        return builder.AddResource(new ProjectResource(name, metadata, LaunchProfile.Read(metadata.ProjectPath)));
    }

    /// <summary>Runs that many processes of the project.</summary>
    public static IResourceBuilder<ProjectResource> WithReplicas(this IResourceBuilder<ProjectResource> builder, int replicas)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(replicas, 1);
        if (replicas > 1 && builder.Resource.Endpoints.Count > 0)
        {
            throw new DistributedApplicationException($"'{builder.Resource.Name}' has endpoints, and the local engine has no proxy that could spread calls over replicas.");
        }

        builder.Resource.Replicas = replicas;
        return builder;
    }
}
