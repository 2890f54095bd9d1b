using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StatusUpdates.Benchmarks.Servers;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Processors;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Benchmarks.Claims;

/// <summary>The worker with providers that return at once. With <see cref="OneByOne"/> it claims one job at a time.</summary>
internal static class JobHost
{
    /// <summary>The setting that replaces the runner.</summary>
    public const string OneByOne = "OneByOne";

    public static Task RunAsync()
    {
        var builder = WorkerBuilder.Create<InstantProvider>();
        if (builder.Configuration.GetValue<bool>(OneByOne))
        {
            // The last hosted service that AddJobs added is the runner.
            builder.Services.Remove(builder.Services.Last(service => service.ServiceType == typeof(IHostedService)));
            builder.Services.AddHostedService<OneByOneRunner>();
        }

        builder.AddProcessors();
        var app = builder.Build();
        app.MapGet("/ready", () => "ready");
        return app.RunAsync();
    }

    private sealed class InstantProvider : IGenerationProvider
    {
        private static readonly Task<ProviderResult> Result = Task.FromResult(
            new ProviderResult([new ProviderLink(new Uri("https://results.example/1"))], 1));

        public Task<ProviderResult> GenerateAsync(ProviderRequest request, IProviderProgress progress, CancellationToken cancellationToken) => Result;
    }
}
