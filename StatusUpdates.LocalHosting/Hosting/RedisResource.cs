using System.Globalization;

namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>A Redis server.</summary>
public sealed class RedisResource : Resource, IConnectionProperties
{
    internal RedisResource(string name, int? port)
        : base(name)
    {
        Port = port;
        Address = new(name);
    }

    internal int? Port { get; }

    internal ConnectionAddress<RedisAddress> Address { get; }

    IEnumerable<(string Name, string Value)> IConnectionProperties.ConnectionProperties
    {
        get
        {
            var (_, port, password) = Address.Value;
            yield return ("HOST", RedisAddress.Host);
            yield return ("PORT", port.ToString(CultureInfo.InvariantCulture));
            yield return ("PASSWORD", password);
            yield return ("URI", Address.Value.Uri);
        }
    }

    public async ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default) =>
        (await Address.WhenKnownAsync(cancellationToken)).ConnectionString;
}

internal sealed record RedisAddress(string ConnectionString, int Port, string Password)
{
    public const string Host = "127.0.0.1";

    public string Uri => string.Create(CultureInfo.InvariantCulture, $"redis://:{Password}@{Host}:{Port}");
}

public static class RedisBuilderExtensions
{
    /// <summary>Adds a Redis server.</summary>
    public static IResourceBuilder<RedisResource> AddRedis(this IDistributedApplicationBuilder builder, string name, int? port = null) =>
        builder.AddResource(new RedisResource(name, port));
}
