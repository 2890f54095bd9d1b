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

/// <summary>The worker with providers that return at once; with <see cref="OneByOne"/> all of it but the way it claims.</summary>
internal static class JobHost
{
    /// <summary>The setting that replaces the runner.</summary>
    public const string OneByOne = "OneByOne";

    public static Task RunAsync()
    {
        var builder = WorkerPart.CreateBuilder<InstantProvider>();
        if (builder.Configuration.GetValue<bool>(OneByOne))
        {
            // What AddJobs has added last is the runner as a service.
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
