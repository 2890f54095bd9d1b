using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Primitives;
using StatusUpdates.Api.Errors;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Generations;

/// <summary>Makes a <see cref="Submission"/> of a request, or says what is wrong with it.</summary>
internal static class SubmitRequestReader
{
    public const string IdempotencyKeyHeader = "Idempotency-Key";

    public const string DeadlineError = "Must lie in the future, at most 30 days ahead.";

    private const int MaxKeyLength = 255;

    /// <summary>How far ahead a deadline may lie.</summary>
    public static readonly TimeSpan MaxDeadline = TimeSpan.FromDays(30);

    public static Submission? Read(SubmitRequest request, StringValues idempotencyKey, string userId, TimeProvider time, FieldErrors errors)
    {
        if (request.Type is null)
        {
            errors.Add("type", $"Is required. Allowed are: {string.Join(", ", GenerationTypeNames.All)}.");
        }

        CheckPrompt(request.Prompt, errors);
        var task = ReadTask(request, errors);
        var key = ReadKey(idempotencyKey, errors);
        CheckDeadline(request.Deadline, isRepeatable: key is not null, time, errors);
        var options = request.Options is { } given ? ProcessorOptions.Read(given, errors) : null;
        if (!errors.IsEmpty || request.Type is not { } type)
        {
            return null;
        }

        return new()
        {
            UserId = userId,
            Type = type,
            Task = task,
            Prompt = request.Prompt!,
            Options = options,
            Deadline = request.Deadline,
            IdempotencyKey = key,
            RequestHash = key is null ? null : HashOf(type, task, request.Prompt!, options, request.Deadline),
            TraceParent = Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity ? activity.Id : null,
        };
    }

    private static void CheckPrompt(string? prompt, FieldErrors errors)
    {
        if (string.IsNullOrWhiteSpace(prompt))
        {
            errors.Add("prompt", "Is required and must not be blank.");
        }
        else if (prompt.Length > SubmitRequest.MaxPromptLength)
        {
            errors.Add("prompt", $"Must have at most {SubmitRequest.MaxPromptLength} characters.");
        }
        else if (!ProviderText.IsClean(prompt))
        {
            errors.Add("prompt", "Must not contain U+0000 or lone surrogates.");
        }
    }

    private static GenerationTask ReadTask(SubmitRequest request, FieldErrors errors)
    {
        if (request.Type is not { } type)
        {
            return default;
        }

        var tasks = GenerationTaskNames.TasksOf(type);
        if (request.Task is not { } task)
        {
            return tasks[0];
        }

        if (!tasks.Contains(task))
        {
            errors.Add("task", $"With this type allowed are: {string.Join(", ", tasks.Select(t => t.ToWireName()))}.");
        }

        return task;
    }

    // A repeat may come after the deadline, and is answered as any repeat; the database tells it from a first request.
    private static void CheckDeadline(DateTimeOffset? deadline, bool isRepeatable, TimeProvider time, FieldErrors errors)
    {
        if ((deadline <= time.GetUtcNow() && !isRepeatable) || deadline > time.GetUtcNow() + MaxDeadline)
        {
            errors.Add("deadline", DeadlineError);
        }
    }

    private static string? ReadKey(StringValues header, FieldErrors errors)
    {
        if (header.Count == 0)
        {
            return null;
        }

        if (header is [{ Length: > 0 and <= MaxKeyLength } key] && key.All(c => c is >= ' ' and <= '~'))
        {
            return key;
        }

        errors.Add(IdempotencyKeyHeader, $"Must be given once, with 1 to {MaxKeyLength} printable ASCII characters.");
        return null;
    }

    // Over what is stored, so that the same request in another notation is the same. Each part is preceded by its length.
    private static byte[] HashOf(GenerationType type, GenerationTask task, string prompt, string? options, DateTimeOffset? deadline)
    {
        using var buffer = new MemoryStream();
        using (var writer = new BinaryWriter(buffer, Encoding.UTF8))
        {
            writer.Write(type.ToWireName());
            writer.Write(task.ToWireName());
            writer.Write(prompt);
            writer.Write(options ?? "");
            if (deadline is { } time)
            {
                writer.Write(time.UtcTicks);
            }
        }

        return SHA256.HashData(buffer.ToArray());
    }
}
