using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StatusUpdates.Api.Feeds;
using StatusUpdates.Api.Hosting;
using StatusUpdates.Api.RateLimiting;
using StatusUpdates.Api.Transports;
using StatusUpdates.Api.Workers;
using StatusUpdates.ChatLinks;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Messaging;
using StatusUpdates.Messaging.Options;
using StatusUpdates.ResultStore;
using StatusUpdates.SampleProviders.Providers;
using StatusUpdates.Webhooks;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Retention;

namespace StatusUpdates.Tests.Infrastructure;

/// <summary>
/// What a test sets by key: settings, and the product's constants that tests change, which are properties of options with an internal setter
/// (<c>Worker:PollInterval</c>). A setting goes into the configuration; a constant is set on the options.
/// </summary>
internal static class TestSettings
{
    private static readonly (string Section, Type Options)[] Sections =
    [
        (FeedOptions.SectionName, typeof(FeedOptions)),
        (ConnectionOptions.SectionName, typeof(ConnectionOptions)),
        (RateLimitOptions.SectionName, typeof(RateLimitOptions)),
        ("Requests", typeof(RequestOptions)),
        ("WorkerProtocol", typeof(WorkerProtocolOptions)),
        (WebhookOptions.SectionName, typeof(WebhookOptions)),
        (TelegramOptions.SectionName, typeof(TelegramOptions)),
        (CursorOptions.SectionName, typeof(CursorOptions)),
        (AttemptOptions.SectionName, typeof(AttemptOptions)),
        (StatusDatabaseOptions.SectionName, typeof(StatusDatabaseOptions)),
        (StatusLogOptions.SectionName, typeof(StatusLogOptions)),
        (StatusMessagingOptions.SectionName, typeof(StatusMessagingOptions)),
        ("Worker:Providers", typeof(SampleProvidersOptions)),
        (WorkerOptions.SectionName, typeof(WorkerOptions)),
        (RetentionOptions.SectionName, typeof(RetentionOptions)),
        (ResultsOptions.SectionName, typeof(ResultsOptions)),
    ];

    /// <summary>Where a program finds the servers and the results of a test.</summary>
    public static Dictionary<string, string?> Of(TestDatabase database, TestRedis redis) => new()
    {
        ["ConnectionStrings:statusdb"] = database.ConnectionString,
        ["ConnectionStrings:redis"] = redis.ConnectionString,
        ["StatusMessaging:ChannelPrefix"] = redis.ChannelPrefix,
        ["Results:Folder"] = database.ResultsFolder,
    };

    /// <summary>Adds what a test sets to a host. What is added later wins.</summary>
    public static void Set(this IHostApplicationBuilder builder, IEnumerable<KeyValuePair<string, string?>> settings)
    {
        var all = settings.ToLookup(setting => IsConstant(setting.Key));
        builder.Configuration.AddInMemoryCollection(all[false]);
        foreach (var constants in all[true].GroupBy(setting => Find(setting.Key)!.Options))
        {
            var values = new ConfigurationBuilder().AddInMemoryCollection(constants).Build();
            var paths = constants.Select(setting => Find(setting.Key)!).DistinctBy(constant => constant.Key);
            builder.Services.AddSingleton(
                typeof(IPostConfigureOptions<>).MakeGenericType(constants.Key),
                Activator.CreateInstance(typeof(Constants<>).MakeGenericType(constants.Key), values, paths.ToArray())!);
        }
    }

    /// <inheritdoc cref="Set(IHostApplicationBuilder, IEnumerable{KeyValuePair{string, string?}})"/>
    public static void Set(this IHostApplicationBuilder builder, IEnumerable<(string Key, string Value)> settings) =>
        builder.Set(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)));

    /// <summary>Whether no configuration key sets this: a process of its own gets it from <c>StartupHook</c>.</summary>
    public static bool IsConstant(string key) => Find(key) is not null;

    private static Constant? Find(string key)
    {
        foreach (var (section, options) in Sections)
        {
            if (key.StartsWith(section + ":", StringComparison.OrdinalIgnoreCase))
            {
                return Find(options, key.Split(':'), section.Split(':').Length);
            }
        }

        return null;
    }

    private static Constant? Find(Type options, string[] parts, int start)
    {
        var path = new List<PropertyInfo>();
        for (var type = options; start + path.Count < parts.Length; type = path[^1].PropertyType)
        {
            if (type.GetProperty(parts[start + path.Count]) is not { } property)
            {
                return null;
            }

            path.Add(property);
            if (property.SetMethod is { IsPublic: false })
            {
                return new(options, string.Join(':', parts[..(start + path.Count)]), path);
            }

            if (!SettingKeys.IsGroup(property.PropertyType))
            {
                return null;
            }
        }

        return null;
    }

    private sealed record Constant(Type Options, string Key, IReadOnlyList<PropertyInfo> Path);

    private sealed class Constants<TOptions>(IConfiguration values, Constant[] constants) : IPostConfigureOptions<TOptions>
        where TOptions : class
    {
        public void PostConfigure(string? name, TOptions options)
        {
            foreach (var constant in constants)
            {
                object owner = options;
                foreach (var group in constant.Path.SkipLast(1))
                {
                    owner = group.GetValue(owner)!;
                }

                var property = constant.Path[^1];
                property.SetValue(owner, values.GetSection(constant.Key).Get(property.PropertyType));
            }
        }
    }
}
