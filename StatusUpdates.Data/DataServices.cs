using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Cursors;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Queue;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data;

/// <summary>Registers the database, the log and what is stored with it.</summary>
public static class DataServices
{
    /// <summary>
    /// Adds the log, the queue, cursors, commands and queries over one data source, with a health check, and migrates the schema at startup.
    /// The EF Core context is registered separately: <c>AddNpgsqlDbContext&lt;StatusDbContext&gt;(name, configureDbContextOptions: database.Configure)</c>.
    /// </summary>
    /// <param name="builder">The host.</param>
    /// <param name="connectionName">The name in <c>ConnectionStrings</c>.</param>
    /// <exception cref="InvalidOperationException">The connection string is missing or invalid.</exception>
    public static StatusDatabase AddStatusDatabase(this IHostApplicationBuilder builder, string connectionName)
    {
        const string Example = "an Npgsql connection string, such as Host=…;Database=…;Username=…;Password=….";
        var connectionString = builder.Configuration.GetConnectionString(connectionName) is { } text && !string.IsNullOrWhiteSpace(text)
            ? text
            : throw new InvalidOperationException($"ConnectionStrings:{connectionName} is not set. It is {Example}");

        // Created here and not by the container: the EF Core integration needs it while the container is still being built.
        StatusDatabase database;
        try
        {
            database = new StatusDatabase(connectionString);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidOperationException)
        {
            // Without the inner exception, which could quote a part of a password.
            throw new InvalidOperationException($"ConnectionStrings:{connectionName} must be {Example}");
        }

        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSectionOptions<StatusDatabaseOptions, StatusDatabaseOptionsValidator>(StatusDatabaseOptions.SectionName);
        builder.Services.AddSectionOptions<StatusLogOptions, StatusLogOptionsValidator>(StatusLogOptions.SectionName);
        builder.Services.AddSectionOptions<CursorOptions, CursorOptionsValidator>(CursorOptions.SectionName);
        builder.Services.AddSectionOptions<AttemptOptions, AttemptOptionsValidator>(AttemptOptions.SectionName);
        builder.Services.AddSingleton(services => services.GetRequiredService<IOptions<StatusDatabaseOptions>>().Value);
        builder.Services.AddSingleton(services => services.GetRequiredService<IOptions<StatusLogOptions>>().Value);
        builder.Services.AddSingleton(services => services.GetRequiredService<IOptions<CursorOptions>>().Value);
        builder.Services.AddSingleton(services => services.GetRequiredService<IOptions<AttemptOptions>>().Value);
        builder.Services.AddSingleton(services =>
        {
            database.RetryFor = services.GetRequiredService<StatusDatabaseOptions>().RetryFor;
            database.Logger = services.GetRequiredService<ILogger<StatusDatabase>>();
            return database;
        });
        builder.Services.AddSingleton(_ => database.DataSource);
        builder.Services.AddSingleton<StatusLog>();
        builder.Services.AddSingleton<GenerationQueue>();
        builder.Services.AddSingleton<AttemptQueries>();
        builder.Services.AddSingleton<RetryPlan>();
        builder.Services.AddScoped<GenerationCommands>();
        builder.Services.AddScoped<GenerationQueries>();
        builder.Services.AddSingleton<CursorStore>();
        builder.Services.AddHealthChecks().AddCheck<DatabaseHealthCheck>(DatabaseHealthCheck.Name);
        builder.Services.AddHostedService<DatabaseMigrator>();
        builder.Services.TryAddSingleton<MessageSeal>();
        builder.Services.AddHostedService<MessageKeyLoader>();
        return database;
    }
}
