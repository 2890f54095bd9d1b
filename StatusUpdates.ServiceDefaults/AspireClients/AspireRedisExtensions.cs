using Aspire.StackExchange.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using StatusUpdates.ServiceDefaults.AspireClients;

namespace Microsoft.Extensions.Hosting;

/// <summary>Stand-in of the package Aspire.StackExchange.Redis: what this system uses of it, by the same names.</summary>
public static class AspireRedisExtensions
{
    private const string SectionName = "Aspire:StackExchange:Redis";

    /// <summary>
    /// Registers the singleton <see cref="IConnectionMultiplexer"/> with a health check. The client starts without Redis and connects
    /// when Redis comes; see <see cref="ConfigurationOptions.AbortOnConnectFail"/>.
    /// </summary>
    /// <param name="builder">Where to read configuration and register services.</param>
    /// <param name="connectionName">Names <c>ConnectionStrings:{connectionName}</c>.</param>
    /// <param name="configureSettings">Runs after the settings are read.</param>
    /// <param name="configureOptions">Runs after the connection string is parsed.</param>
    public static void AddRedisClient(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<StackExchangeRedisSettings>? configureSettings = null,
        Action<ConfigurationOptions>? configureOptions = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(connectionName);

        var section = builder.Configuration.GetSection(SectionName);
        var named = section.GetSection(connectionName);
        var settings = new StackExchangeRedisSettings();
        section.Bind(settings);
        named.Bind(settings);
        settings.ConnectionString = builder.Configuration.GetConnectionString(connectionName) ?? settings.ConnectionString;
        configureSettings?.Invoke(settings);

        builder.Services.TryAddTransient<IOptionsFactory<ConfigurationOptions>>(
            services => ActivatorUtilities.CreateInstance<RedisOptionsFactory>(services, settings));
        builder.Services.Configure<ConfigurationOptions>(options =>
        {
            section.GetSection("ConfigurationOptions").Bind(options);
            named.GetSection("ConfigurationOptions").Bind(options);
            configureOptions?.Invoke(options);
        });

        builder.Services.AddSingleton<IConnectionMultiplexer>(Connect);
        if (!settings.DisableAutoActivation)
        {
            builder.Services.ActivateSingleton<IConnectionMultiplexer>();
        }

        if (!settings.DisableHealthChecks)
        {
            builder.Services.AddHealthChecks().AddCheck<RedisHealthCheck>("StackExchange.Redis");
        }
    }

    private static ConnectionMultiplexer Connect(IServiceProvider services)
    {
        var options = services.GetRequiredService<IOptions<ConfigurationOptions>>().Value;
        options.LoggerFactory ??= services.GetService<ILoggerFactory>();
        return ConnectionMultiplexer.Connect(options);
    }

    // An options factory, because ConfigurationOptions.Parse makes an object and cannot fill one.
    private sealed class RedisOptionsFactory(
        StackExchangeRedisSettings settings,
        IEnumerable<IConfigureOptions<ConfigurationOptions>> configures,
        IEnumerable<IPostConfigureOptions<ConfigurationOptions>> postConfigures,
        IEnumerable<IValidateOptions<ConfigurationOptions>> validations)
        : OptionsFactory<ConfigurationOptions>(configures, postConfigures, validations)
    {
        protected override ConfigurationOptions CreateInstance(string name)
        {
            var options = string.IsNullOrWhiteSpace(settings.ConnectionString)
                ? new ConfigurationOptions()
                : ConfigurationOptions.Parse(settings.ConnectionString);
            options.AbortOnConnectFail = false;
            return options;
        }
    }
}
