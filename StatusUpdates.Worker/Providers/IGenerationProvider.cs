namespace StatusUpdates.Worker.Providers;

/// <summary>
/// Creates the content of one task's generations, for example with a service behind an API. A worker gets it by
/// <see cref="ProviderServices.AddProvider{TProvider}"/>, and runs only the tasks that it has a provider for.
/// Implementations must be thread-safe: many generations run at once.
/// </summary>
public interface IGenerationProvider
{
    /// <summary>Creates one generation's results. May be called again for the same generation, with a higher attempt.</summary>
    /// <param name="request">What is requested.</param>
    /// <param name="progress">Receives progress; a report becomes an update that the user sees.</param>
    /// <param name="cancellationToken">Fires when the user cancels, the time is up, the worker stops, or the generation went to another
    /// worker. A provider that does not return soon afterwards is abandoned.</param>
    /// <returns>At least one result.</returns>
    /// <exception cref="ProviderException">The generation fails; the user reads the message.</exception>
    /// <exception cref="TransientProviderException">The generation is retried after a back-off, a limited number of times. The same goes for any
    /// other exception that does not indicate bad input; the user does not see the message of those.</exception>
    Task<ProviderResult> GenerateAsync(ProviderRequest request, IProviderProgress progress, CancellationToken cancellationToken);
}

/// <summary>Receives a provider's progress reports.</summary>
public interface IProviderProgress
{
    /// <summary>
    /// Reports the progress, as often as the provider likes. Returns when the update is durable, or at once if one was written just before or
    /// is being written: then the newest value is written a little later. A value that is not above the last one changes nothing.
    /// </summary>
    /// <param name="percent">0 to 100.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">This attempt is over; the provider must not catch this exception.</exception>
    Task ReportAsync(int percent, CancellationToken cancellationToken);
}
