using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Data;
using StatusUpdates.Data.Schema;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Benchmarks.Servers;

/// <summary>Builds the worker as a helper of this program, with one provider for all tasks and an HTTP endpoint for commands.</summary>
internal static class WorkerBuilder
{
    /// <summary>The whole worker except its processors, which the caller must add last.</summary>
    public static WebApplicationBuilder Create<TProvider>()
        where TProvider : class, IGenerationProvider
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.AddServiceDefaults();
        builder.AddRedisClient("redis");
        var database = builder.AddStatusDatabase("statusdb");
        builder.AddNpgsqlDbContext<StatusDbContext>("statusdb", configureDbContextOptions: database.Configure);
        builder.AddStatusMessaging();
        foreach (var task in GenerationTypes.Default.TaskNames)
        {
            builder.AddProvider<TProvider>(task);
        }

        builder.AddJobs();
        return builder;
    }
}
