using System.Reflection;
using Microsoft.Extensions.Configuration;
using StatusUpdates.LocalHosting.Engine;
using StatusUpdates.LocalHosting.Hosting;

namespace StatusUpdates.LocalHosting.Testing;

/// <summary>A model that an AppHost's entry point described, for a test to look at, change and run.</summary>
public interface IDistributedApplicationTestingBuilder : IDistributedApplicationBuilder, IAsyncDisposable
{
    Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default);
}

/// <summary>Runs an AppHost's entry point inside a test, up to where it would run its application.</summary>
public static class DistributedApplicationTestingBuilder
{
    /// <typeparam name="TEntryPoint">Any type of the AppHost's assembly, such as <c>Projects.StatusUpdates_AppHost</c>.</typeparam>
    /// <param name="cancellationToken">Ends the waiting for the entry point.</param>
    /// <returns>A builder whose application has free ports and state of its own, deleted with it: such applications run side by side.</returns>
    public static Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(CancellationToken cancellationToken = default)
        where TEntryPoint : class => CreateAsync<TEntryPoint>([], cancellationToken);

    /// <typeparam name="TEntryPoint">Any type of the AppHost's assembly.</typeparam>
    /// <param name="args">The AppHost's arguments: settings, such as <c>--section:key=value</c>.</param>
    /// <param name="cancellationToken">Ends the waiting for the entry point.</param>
    public static async Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(
        string[] args, CancellationToken cancellationToken = default)
        where TEntryPoint : class
    {
        var entryPoint = typeof(TEntryPoint).Assembly.EntryPoint
            ?? throw new DistributedApplicationException($"The assembly of {typeof(TEntryPoint)} has no entry point.");
        var interception = new AppHostInterception(EngineSettings.ForTest());

        // It stays for as long as the application: on a thread of its own, not one of the pool's.
        var running = Task.Factory.StartNew(
            () => RunEntryPoint(entryPoint, args, interception), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var (builder, application) = await interception.WhenBuilt.WaitAsync(cancellationToken);
        return new TestingBuilder(builder, application, interception, running);
    }

    private static void RunEntryPoint(MethodInfo entryPoint, string[] args, AppHostInterception interception)
    {
        AppHostInterception.Current = interception;
        try
        {
            object?[] arguments = entryPoint.GetParameters().Length == 0 ? [] : [args];
            entryPoint.Invoke(null, BindingFlags.DoNotWrapExceptions, binder: null, arguments, culture: null);
            interception.Ended(error: null);
        }
        catch (Exception error)
        {
            // Of use only before the application is built; CreateAsync throws it. Afterwards RunAsync just waits.
            interception.Ended(error);
        }
    }

    private sealed class TestingBuilder(
        DistributedApplicationBuilder builder, DistributedApplication application, AppHostInterception interception, Task entryPoint) : IDistributedApplicationTestingBuilder
    {
        public IResourceCollection Resources => builder.Resources;

        public IConfigurationManager Configuration => builder.Configuration;

        public IResourceBuilder<T> AddResource<T>(T resource)
            where T : IResource => builder.AddResource(resource);

        public DistributedApplication Build() => application;

        public Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default) => Task.FromResult(application);

        public async ValueTask DisposeAsync()
        {
            await application.DisposeAsync();
            interception.Release();
            await entryPoint;
        }
    }
}
