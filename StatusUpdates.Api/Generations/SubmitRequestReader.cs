using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Primitives;
using Microsoft.OpenApi;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Queries;
using StatusUpdates.Data.Generations;
using StatusUpdates.Data.Log;
using StatusUpdates.Data.Types;

namespace StatusUpdates.Api.Generations;

/// <summary>Converts a request into a <see cref="Submission"/>, or adds errors.</summary>
internal static class SubmitRequestReader
{
    /// <summary>Also the answer if the database finds that a first request, with a key, came after its deadline.</summary>
    public const string DeadlineError = "Must be in the future, at most 30 days ahead.";

    private const int MaxKeyLength = 255;

    public static Parameter IdempotencyKey { get; } = new(
        "Idempotency-Key",
        $"The client's unique key for this submission: 1 to {MaxKeyLength} printable ASCII characters.",
        () => new() { Type = JsonSchemaType.String, MinLength = 1, MaxLength = MaxKeyLength },
        ParameterLocation.Header);

    /// <summary>How far ahead a deadline may be.</summary>
    public static readonly TimeSpan MaxDeadline = TimeSpan.FromDays(30);

    /// <summary>The submission; null after adding errors.</summary>
    public static Submission? Read(
        SubmitRequest request, StringValues idempotencyKey, string userId, GenerationTypes types, TimeProvider time, FieldErrors errors)
    {
        CheckPrompt(request.Prompt, errors);
        var type = ReadType(request.Type, types, errors);
        var task = ReadTask(request.Task, type, errors);
        var key = ReadKey(idempotencyKey, errors);
        CheckDeadline(request.Deadline, isRepeatable: key is not null, time, errors);
        var options = request.Options is { } given ? SubmittedOptions.Read(given, errors) : null;
        if (task is not null && (request.Options is null || options is not null))
        {
            TaskOptionCheck.Check(request.Options, task, errors);
        }

        if (!errors.IsEmpty || type is null || task is null)
        {
            return null;
        }

        return new()
        {
            UserId = userId,
            Type = type.Name,
            Task = task.Name,
            Prompt = request.Prompt!,
            Options = options,
            Deadline = request.Deadline,
            IdempotencyKey = key,
            RequestHash = key is null ? null : HashOf(type.Name, task.Name, request.Prompt!, options, request.Deadline),
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

    private static RegisteredType? ReadType(string? name, GenerationTypes types, FieldErrors errors)
    {
        var type = name is null ? null : types.Find(name);
        if (type is null)
        {
            errors.Add("type", $"{(name is null ? "Is required. " : "")}Allowed are: {string.Join(", ", types.Names)}.");
        }

        return type;
    }

    // Null after adding an error, or if there is no type, which is an error already.
    private static RegisteredTask? ReadTask(string? name, RegisteredType? type, FieldErrors errors)
    {
        var task = type?.FindTask(name ?? type.DefaultTask);
        if (type is not null && task is null)
        {
            errors.Add("task", $"Allowed for this type are: {string.Join(", ", type.Tasks.Select(t => t.Name))}.");
        }

        return task;
    }

    // Repeatable: it has a key. A retry may arrive after the deadline and gets the usual response to a retry; only the database can tell it from a
    // first request.
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

        errors.Add(IdempotencyKey.Name, $"Must be given once, with 1 to {MaxKeyLength} printable ASCII characters.");
        return null;
    }

    // Over the stored form, so that the same request in another notation has the same hash. BinaryWriter writes a string's length before it, so
    // different requests never have the same bytes. Hashes are stored: if the bytes of a request change, its retry after an upgrade is refused as a
    // different request. Something new is therefore appended, and only if it is set, as the deadline is.
    private static byte[] HashOf(string type, string task, string prompt, string? options, DateTimeOffset? deadline)
    {
        using var buffer = new MemoryStream();
        using (var writer = new BinaryWriter(buffer, Encoding.UTF8))
        {
            writer.Write(type);
            writer.Write(task);
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
