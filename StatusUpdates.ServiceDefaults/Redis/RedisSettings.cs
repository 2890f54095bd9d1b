using System.Globalization;
using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace StatusUpdates.ServiceDefaults.Redis;

/// <summary>
/// The address of Redis: <c>ConnectionStrings:redis</c>, else the variables <c>REDIS_HOST</c>, <c>REDIS_PORT</c> (6379) and
/// <c>REDIS_PASSWORD</c>. The latter are converted into the former before the client is registered, because Aspire's client reads only that.
/// </summary>
internal static class RedisSettings
{
    private const string ConnectionStringKey = "ConnectionStrings:redis";
    private const string HostKey = "REDIS_HOST";
    private const string PortKey = "REDIS_PORT";
    private const string PasswordKey = "REDIS_PASSWORD";
    private const int DefaultPort = 6379;

    public static void AddRedisSettings(this IHostApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        builder.Services.AddSingleton<IValidateOptions<ConfigurationOptions>>(new ValidateOptions<ConfigurationOptions>(
            name: null, // all
            options => options.EndPoints.Count > 0,
            $"No Redis is configured: set {ConnectionStringKey}, or {HostKey} (with {PortKey} and {PasswordKey} as needed)."));

        // Overrides the connection string: the system starts and works without Redis.
        builder.Services.PostConfigureAll<ConfigurationOptions>(options => options.AbortOnConnectFail = false);

        if (configuration[ConnectionStringKey] is { } text && !string.IsNullOrWhiteSpace(text))
        {
            CheckConnectionString(text);
            return;
        }

        var host = configuration[HostKey];
        if (string.IsNullOrWhiteSpace(host))
        {
            return;
        }

        var endpoint = new ConfigurationOptions { EndPoints = { { host, ReadPort(configuration[PortKey]) } } };
        configuration.AddInMemoryCollection([new(ConnectionStringKey, endpoint.ToString())]);

        // Not part of the connection string, where a comma would end the password.
        if (configuration[PasswordKey] is { Length: > 0 } password)
        {
            builder.Services.PostConfigureAll<ConfigurationOptions>(options => options.Password ??= password);
        }
    }

    // The client's own error does not name the setting.
    private static void CheckConnectionString(string text)
    {
        try
        {
            ConfigurationOptions.Parse(text);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            throw new InvalidOperationException($"{ConnectionStringKey} is not a valid StackExchange.Redis configuration, such as host:6379,password=…: {e.Message}");
        }
    }

    private static int ReadPort(string? value)
    {
        if (string.IsNullOrWhiteSpace(value))
        {
            return DefaultPort;
        }

        return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= IPEndPoint.MaxPort
            ? port
            : throw new InvalidOperationException($"{PortKey} must be a port between 1 and {IPEndPoint.MaxPort}.");
    }
}
