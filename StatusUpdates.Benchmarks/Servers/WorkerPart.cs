using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Data.Database;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Benchmarks.Servers;

/// <summary>The worker as a part of this program, with one provider for all tasks, and HTTP to be told things.</summary>
internal static class WorkerPart
{
    /// <summary>All of the worker but its processors, which are to be added last.</summary>
    public static WebApplicationBuilder CreateBuilder<TProvider>()
        where TProvider : class, IGenerationProvider
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.AddServiceDefaults();
        builder.AddRedisClient("redis");
        var database = builder.AddStatusDatabase("statusdb");
        builder.AddNpgsqlDbContext<StatusDbContext>("statusdb", configureDbContextOptions: database.Configure);
        builder.AddStatusMessaging();
        foreach (var task in Enum.GetValues<GenerationTask>())
        {
            builder.Services.AddKeyedSingleton<IGenerationProvider, TProvider>(task);
        }

        builder.AddJobs();
        return builder;
    }
}
