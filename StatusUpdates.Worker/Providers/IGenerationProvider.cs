namespace StatusUpdates.Worker.Providers;

/// <summary>
/// What makes the content of one task's generations: the built-in renderer, or a service behind an API. A processor takes the one that is
/// registered under its task, so that another is connected by one line ahead of <c>AddProcessors</c>:
/// <c>builder.Services.AddKeyedSingleton&lt;IGenerationProvider, MyProvider&gt;(GenerationTask.Sora)</c>.
/// Implementations are thread-safe: many generations run at once.
/// </summary>
public interface IGenerationProvider
{
    /// <summary>Makes one generation's results. May be called again for the same generation, with a higher attempt.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Takes progress on the way; each report becomes an update that the user sees.</param>
    /// <param name="cancellationToken">Fires when the user cancels, the worker stops, or the generation went to another worker. A provider
    /// that does not come back soon after it is left behind.</param>
    /// <returns>At least one result.</returns>
    /// <exception cref="ProviderException">The generation fails; the user reads the message.</exception>
    /// <exception cref="TransientProviderException">The generation is tried again after a back-off, a limited number of times. So it is with any other
    /// exception that does not tell of bad input; of those the user does not read the message.</exception>
    Task<ProviderResult> GenerateAsync(ProviderRequest request, IProviderProgress progress, CancellationToken cancellationToken);
}

/// <summary>Takes a provider's progress reports.</summary>
public interface IProviderProgress
{
    /// <summary>
    /// Reports how far the work is, as often as the provider likes. Returns when the update is durable, or at once if one was written or
    /// is being written just now: then the newest value is written a little later. A value that is not above the last one changes nothing.
    /// </summary>
    /// <param name="percent">0 to 100.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">This attempt is over; the provider lets it through.</exception>
    Task ReportAsync(int percent, CancellationToken cancellationToken);
}
