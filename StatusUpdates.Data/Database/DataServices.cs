using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Results;
using StatusUpdates.Data.Retention;
using StatusUpdates.Data.Telegram;
using StatusUpdates.Data.Tickets;
using StatusUpdates.Data.Webhooks;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Database;

/// <summary>Registration of the data side.</summary>
public static class DataServices
{
    /// <summary>
    /// Adds the log, the queue, commands, queries and results over one data source with its health check, and brings the schema up to date at start.
    /// The EF Core context is registered beside it: <c>AddNpgsqlDbContext&lt;StatusDbContext&gt;(name, configureDbContextOptions: database.Configure)</c>.
    /// </summary>
    /// <param name="builder">The host.</param>
    /// <param name="connectionName">Which of the <c>ConnectionStrings</c>.</param>
    /// <exception cref="InvalidOperationException">The connection string is missing, or a setting is out of range.</exception>
    public static StatusDatabase AddStatusDatabase(this IHostApplicationBuilder builder, string connectionName)
    {
        const string Example = "an Npgsql connection string, such as Host=…;Database=…;Username=…;Password=….";
        var connectionString = builder.Configuration.GetConnectionString(connectionName) is { } text && !string.IsNullOrWhiteSpace(text)
            ? text
            : throw new InvalidOperationException($"ConnectionStrings:{connectionName} is not set. It is {Example}");
        var options = Bind(builder, StatusDatabaseOptions.SectionName, new StatusDatabaseOptions(), new StatusDatabaseOptionsValidator());
        var logOptions = Bind(builder, StatusLogOptions.SectionName, new StatusLogOptions(), new StatusLogOptionsValidator());

        var cursorOptions = Bind(builder, CursorOptions.SectionName, new CursorOptions(), new CursorOptionsValidator());

        // Made here and not by the container: the EF Core integration needs it while the container is still being built.
        StatusDatabase database;
        try
        {
            database = new StatusDatabase(connectionString, options);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidOperationException)
        {
            // Without what it quotes of the string, which can be a part of a password.
            throw new InvalidOperationException($"ConnectionStrings:{connectionName} must be {Example}");
        }

        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(logOptions);
        builder.Services.AddSingleton(cursorOptions);
        builder.Services.AddSingleton(services =>
        {
            database.Unconfirmed.Logger = services.GetRequiredService<ILogger<StatusDatabase>>();
            return database;
        });
        builder.Services.AddSingleton(_ => database.DataSource);
        builder.Services.AddSingleton<StatusLog>();
        builder.Services.AddSingleton<GenerationQueue>();
        builder.Services.AddScoped<GenerationCommands>();
        builder.Services.AddSingleton<GenerationResultStore>();
        builder.Services.AddScoped<GenerationQueries>();
        builder.Services.AddSingleton<TicketStore>();
        builder.Services.AddSingleton<RetentionStore>();
        builder.Services.AddSingleton<WebhookStore>();
        builder.Services.AddSingleton<ReplayStore>();
        builder.Services.AddScoped<WebhookQueries>();
        builder.Services.AddSingleton<TelegramLinkCodes>();
        builder.Services.AddSingleton<TelegramLinkStore>();
        builder.Services.AddSingleton<TelegramTurns>();
        builder.Services.AddSingleton<CursorStore>();
        builder.Services.AddHealthChecks().AddCheck<DatabaseHealthCheck>(DatabaseHealthCheck.Name);
        builder.Services.AddHostedService<DatabaseMigrator>();
        builder.Services.TryAddSingleton<MessageSeal>();
        builder.Services.AddHostedService<MessageKeyLoader>();
        return database;
    }

    private static T Bind<T>(IHostApplicationBuilder builder, string section, T options, IValidateOptions<T> validator)
        where T : class
    {
        builder.Configuration.GetSection(section).Bind(options);

        // The generated rules call a setting <name>.<member>; the error names its configuration key.
        var result = validator.Validate(section, options);
        return result.Failed
            ? throw new OptionsValidationException(
                section, typeof(T), result.Failures.Select(failure => failure.Replace(section + ".", section + ":", StringComparison.Ordinal)))
            : options;
    }
}
