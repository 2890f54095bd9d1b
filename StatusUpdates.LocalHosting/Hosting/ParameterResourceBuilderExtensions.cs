namespace StatusUpdates.LocalHosting.Hosting;

public static class ParameterResourceBuilderExtensions
{
    /// <summary>
    /// Adds a parameter. Its value is that of the environment variable <c>Parameters__NAME</c> if there is one, else the given default's;
    /// with <paramref name="persist"/> a generated value is kept in <c>.local/</c>.
    /// </summary>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, ParameterDefault value, bool secret = false, bool persist = false) =>
        builder.AddResource(new ParameterResource(name, value, secret, persist));

    /// <summary>Adds a parameter of that value.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, string value, bool secret = false) =>
        builder.AddParameter(name, new ConstantParameterDefault(value), secret);

    private sealed class ConstantParameterDefault(string value) : ParameterDefault
    {
        public override string GetDefaultValue() => value;
    }
}
