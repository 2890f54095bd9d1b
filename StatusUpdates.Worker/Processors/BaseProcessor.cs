using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using StatusUpdates.Data.Types;
using StatusUpdates.Messaging;
using StatusUpdates.Worker.Attempts;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.Worker.Processors;

/// <summary>
/// Runs one task's generations with its provider. Every status it sets is durable before it is announced. Thread-safe: one instance runs many attempts
/// at once.
/// </summary>
internal class BaseProcessor(string task, IGenerationProvider provider, GenerationTypes types, ResultUploader results, AttemptWriter writer)
{
    // Null if it is not registered: then any media type is a valid result.
    private readonly RegisteredTask? _task = types.FindTask(task);

    /// <summary>The task whose generations it runs.</summary>
    public string TaskName => task;

    /// <summary>Runs one attempt up to <c>completed</c>.</summary>
    /// <exception cref="OperationCanceledException">The attempt was stopped: <see cref="RunningJob.Reason"/> says why.</exception>
    /// <exception cref="Exception">What the provider threw: the attempt has failed, and <see cref="IsTransient"/> says whether permanently.</exception>
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
        var urls = await results.UploadAsync(job.Generation.Id, result.Outputs, CheckKind, job.Stopping);

        if (!job.TryBeginSettling())
        {
            throw new OperationCanceledException("Stopped just before completion.", job.Stopping);
        }

        await writer.UpdateStatusAsync(
            job,
            job.ChangeTo(GenerationStatus.Completed) with { ResultUrls = urls, TokensUsed = Math.Max(0, result.TokensUsed), Progress = 100 },
            CancellationToken.None);
    }

    /// <summary>Whether another attempt may succeed after this failure. A processor that knows its provider better overrides it.</summary>
    internal virtual bool IsTransient(Exception failure) => TransientFailures.Contains(failure);

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
            Seed = SeedOf(job.Generation.Prompt, root),
        };
    }

    // The first 64 bits of SHA-256 over the prompt and the option "seed".
    private static ulong SeedOf(string prompt, JsonElement options)
    {
        var seed = options.ValueKind == JsonValueKind.Object && options.TryGetProperty("seed", out var value) ? value.GetRawText() : "";
        return BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes($"{prompt}\n{seed}")));
    }

    private void CheckKind(string contentType)
    {
        if (_task?.Accepts(contentType) == false)
        {
            throw new ProviderException($"The provider returned {contentType} instead of {_task.DescribeResults()}.");
        }
    }

    private static void Check([NotNull] ProviderResult? result)
    {
        if (result is not { Outputs.Count: > 0 })
        {
            throw new ProviderException("The provider returned no result.");
        }
    }
}
