namespace StatusUpdates.LocalHosting.Hosting;

public static class ResourceBuilderExtensions
{
    /// <summary>
    /// Gives the project's processes the source's connection string (<c>ConnectionStrings__NAME</c>) and its parts (<c>NAME_HOST</c>, <c>NAME_PORT</c>, …).
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithReference(
        this IResourceBuilder<ProjectResource> builder, IResourceBuilder<IResourceWithConnectionString> source, string? connectionName = null)
    {
        var name = connectionName ?? source.Resource.Name;
        var prefix = string.Concat(name.ToUpperInvariant().Select(letter => char.IsAsciiLetterOrDigit(letter) ? letter : '_'));
        builder.Resource.Environment.Add(async (variables, cancellationToken) =>
        {
            variables[$"ConnectionStrings__{name}"] = await source.Resource.GetConnectionStringAsync(cancellationToken);
            foreach (var (property, value) in ((IConnectionProperties)source.Resource).ConnectionProperties)
            {
                variables[$"{prefix}_{property}"] = value;
            }
        });
        return builder;
    }

    /// <summary>Starts the project only when the dependency is healthy.</summary>
    public static IResourceBuilder<ProjectResource> WaitFor(this IResourceBuilder<ProjectResource> builder, IResourceBuilder<IResource> dependency)
    {
        builder.Resource.WaitsFor.Add(dependency.Resource);
        return builder;
    }

    /// <summary>Takes the project for healthy while <c>GET</c> of that path of its first endpoint answers 200.</summary>
    public static IResourceBuilder<ProjectResource> WithHttpHealthCheck(this IResourceBuilder<ProjectResource> builder, string? path = null)
    {
        builder.Resource.HealthPath = path ?? "/";
        return builder;
    }

    /// <summary>Marks the project's endpoints as those that people open.</summary>
    public static IResourceBuilder<ProjectResource> WithExternalHttpEndpoints(this IResourceBuilder<ProjectResource> builder)
    {
        builder.Resource.IsExternal = true;
        return builder;
    }

    public static IResourceBuilder<ProjectResource> WithEnvironment(this IResourceBuilder<ProjectResource> builder, string name, string? value)
    {
        builder.Resource.Environment.Add((variables, _) => Set(variables, name, value));
        return builder;
    }

    public static IResourceBuilder<ProjectResource> WithEnvironment(
        this IResourceBuilder<ProjectResource> builder, string name, IResourceBuilder<ParameterResource> parameter)
    {
        builder.Resource.Environment.Add((variables, _) => Set(variables, name, parameter.Resource.Value));
        return builder;
    }

    public static IResourceBuilder<ProjectResource> WithEnvironment(
        this IResourceBuilder<ProjectResource> builder, string name, EndpointReference endpointReference)
    {
        builder.Resource.Environment.Add((variables, _) => Set(variables, name, endpointReference.Url));
        return builder;
    }

    /// <summary>One of the project's endpoints, by name (<c>http</c>).</summary>
    public static EndpointReference GetEndpoint(this IResourceBuilder<ProjectResource> builder, string name) => new(builder.Resource, name);

    private static Task Set(IDictionary<string, string?> variables, string name, string? value)
    {
        variables[name] = value;
        return Task.CompletedTask;
    }
}
