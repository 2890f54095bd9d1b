using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Npgsql;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Jobs;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>
/// Does one task's generations by its provider. Every status it sets is durable before it is announced. Thread-safe: one instance runs
/// many attempts at once.
/// </summary>
internal abstract class BaseProcessor(
    GenerationTask task, IGenerationProvider provider, StatusLog log, ResultUploader results, PatientWrites patient)
{
    /// <summary>Which generations it does.</summary>
    public GenerationTask GenerationTask => task;

    /// <summary>The type that its updates carry.</summary>
    public GenerationType GenerationType => GenerationTaskNames.TypeOf(task);

    /// <summary>What its results are, for the message when a provider returns something else.</summary>
    protected abstract string Makes { get; }

    /// <summary>Runs one attempt up to <c>completed</c>.</summary>
    /// <exception cref="OperationCanceledException">The attempt was stopped: <see cref="RunningJob.Reason"/> says why.</exception>
    /// <exception cref="Exception">What the provider threw: the attempt has failed, and <see cref="IsTransient"/> says whether for good.</exception>
    public async Task ProcessAsync(RunningJob job, ProgressReporter progress)
    {
        job.Stopping.ThrowIfCancellationRequested();
        ProviderResult? result;
        await using (progress)
        {
            result = await provider.GenerateAsync(CreateRequest(job), progress, job.Stopping);
            await progress.EndAsync();
        }

        Check(result);
        job.Stopping.ThrowIfCancellationRequested();
        var urls = await patient.WriteAsync(() => results.UploadAsync(job.Generation.Id, result.Outputs, job.Stopping), job.Stopping);

        if (!job.TryBeginSettling())
        {
            throw new OperationCanceledException("Stopped on the finishing line.", job.Stopping);
        }

        await UpdateStatusAsync(
            job,
            GenerationStatus.Completed,
            new StatusDetails { ResultUrls = urls, TokensUsed = Math.Max(0, result.TokensUsed), Progress = 100 },
            CancellationToken.None);
    }

    /// <summary>Whether another attempt may succeed where this one failed. A processor that knows its provider better overrides it.</summary>
    internal virtual bool IsTransient(Exception failure) => TransientFailures.Contains(failure);

    /// <summary>Sets a status: in the database, which announces it on Redis. Returns once it is durable. Progress is tried, an outcome is waited for.</summary>
    /// <returns>What is in the log: <c>canceled</c> instead of <c>pending</c> if its owner had asked for that.</returns>
    /// <exception cref="OperationCanceledException">Refused: another attempt has begun, or the generation has ended. This attempt is stopped.</exception>
    /// <exception cref="NpgsqlException">The database did not take the progress in time, or refused its content.</exception>
    internal async Task<StatusUpdate> UpdateStatusAsync(
        RunningJob job, GenerationStatus status, StatusDetails? details = null, CancellationToken cancellationToken = default)
    {
        var change = new StatusChange
        {
            GenerationId = job.Generation.Id,
            UserId = job.Generation.UserId,
            Status = status,
            Attempt = job.Generation.Attempt,
            Progress = details?.Progress,
            ResultUrls = details?.ResultUrls,
            TokensUsed = details?.TokensUsed,
            ErrorMessage = details?.ErrorMessage,
            RunAfter = details?.RunAfter ?? TimeSpan.Zero,
            CountsAsFailure = details?.CountsAsFailure ?? false,
            TraceParent = Activity.Current?.Id ?? job.Generation.TraceParent,
        };

        // The attempt is the fencing token: what an attempt that lost its lease writes is refused.
        var result = status == GenerationStatus.Processing
            ? await log.AppendAsync(change, cancellationToken)
            : await patient.WriteAsync(() => log.AppendAsync(change, cancellationToken), cancellationToken);
        if (result.Update is not { } update)
        {
            job.StopWriting(StopReason.LeaseLost);
            throw new OperationCanceledException($"The update was refused: {result.Refusal}.");
        }

        return update;
    }

    /// <summary>Whether content of this media type is what the task makes.</summary>
    protected abstract bool Accepts(string contentType);

    protected static bool IsKind(string contentType, string kind) => contentType.StartsWith(kind, StringComparison.OrdinalIgnoreCase);

    private ProviderRequest CreateRequest(RunningJob job)
    {
        using var options = JsonDocument.Parse(job.Generation.Options ?? "{}");
        var root = options.RootElement.Clone();
        return new ProviderRequest
        {
            GenerationId = job.Generation.Id,
            Task = task,
            Attempt = job.Generation.Attempt,
            Prompt = job.Generation.Prompt,
            Options = root,
            Seed = RequestSeed.Of(job.Generation.Prompt, root),
        };
    }

    private void Check([NotNull] ProviderResult? result)
    {
        if (result is not { Outputs.Count: > 0 })
        {
            throw new ProviderException("The provider returned no result.");
        }

        if (result.Outputs.OfType<ProviderContent>().FirstOrDefault(c => !Accepts(c.ContentType)) is { } other)
        {
            throw new ProviderException($"The provider returned {other.ContentType} instead of {Makes}.");
        }
    }
}
