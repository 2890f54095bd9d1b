using System.Security.Claims;
using System.Text.RegularExpressions;
using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Queries;
using StatusUpdates.Api.Security;
using StatusUpdates.Data.Results;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api.Workers;

/// <summary>Reads what workers send, and adds an error for each value that is not allowed.</summary>
internal static partial class WorkerReader
{
    public const int MaxFree = 100;
    public const int MaxGenerations = 500;
    public const int MinLease = 5;
    public const int MaxLease = 600;
    public const int MaxWait = 60;
    public const int MaxRetryAfter = 24 * 60 * 60;
    public const int MaxReleaseDelay = 60 * 60;

    private const int DefaultLease = 30;
    private const int DefaultClaimWait = 25;
    private const string WorkerIdError = "Must be 1 to 100 characters from A-Z a-z 0-9 . _ : -";
    private const string AttemptsError = "Must be a list of at most 500 objects, each with an id, a string, and an attempt, an integer from 1.";

    public static Parameter<string?> WorkerId { get; } = Parameters.Text("workerId", "This start of the worker.", IsWorkerId, WorkerIdError);

    public static Parameter<int> Attempt { get; } = Parameters.Integer("attempt", "The attempt.", 1, int.MaxValue, absent: 0);

    /// <summary>
    /// The holder of a worker's leases. The name of the token is a part of it, so nobody can use another one's leases; a worker's id has no slash, so
    /// different pairs never look the same.
    /// </summary>
    public static string OwnerOf(string workerId, ClaimsPrincipal user) => $"{workerId}/{user.GetUserId()}";

    /// <summary>Null after adding errors.</summary>
    public static WorkerClaim? Read(ClaimBody body, ClaimsPrincipal user, FieldErrors errors)
    {
        CheckWorkerId(body.WorkerId, errors);
        var tasks = ReadTasks(body.Tasks, errors);
        var free = Read("free", body.Free, 1, MaxFree, null, errors);
        var freeOf = body.FreeOf ?? new Dictionary<string, int>();
        if (freeOf.Any(limit => !tasks.Contains(limit.Key, StringComparer.Ordinal) || limit.Value is < 0 or > MaxFree))
        {
            errors.Add("freeOf", $"Must have members of tasks only, each an integer from 0 to {MaxFree}.");
        }
        else if (tasks.Length > 0 && tasks.All(task => freeOf.GetValueOrDefault(task, 1) == 0))
        {
            errors.Add("freeOf", "Must not be 0 for all of tasks: there is nothing to claim then.");
        }

        var running = ReadAttempts(body.Generations, errors);
        var lease = Read("leaseSeconds", body.LeaseSeconds, MinLease, MaxLease, DefaultLease, errors);
        var wait = Read("waitSeconds", body.WaitSeconds, 0, MaxWait, DefaultClaimWait, errors);
        return errors.IsEmpty
            ? new(OwnerOf(body.WorkerId!, user), tasks, free, freeOf, running, TimeSpan.FromSeconds(lease), TimeSpan.FromSeconds(wait))
            : null;
    }

    /// <summary>Null after adding errors.</summary>
    public static WorkerBeat? Read(HeartbeatBody body, ClaimsPrincipal user, FieldErrors errors)
    {
        CheckWorkerId(body.WorkerId, errors);
        if (body.Generations is null)
        {
            errors.Add("generations", $"Is required. {AttemptsError}");
        }

        var running = ReadAttempts(body.Generations, errors);
        var lease = Read("leaseSeconds", body.LeaseSeconds, MinLease, MaxLease, DefaultLease, errors);
        var wait = Read("waitSeconds", body.WaitSeconds, 0, Math.Min(lease / 2, MaxWait), 0, errors);
        return errors.IsEmpty ? new(OwnerOf(body.WorkerId!, user), running, TimeSpan.FromSeconds(lease), TimeSpan.FromSeconds(wait)) : null;
    }

    /// <summary>Which attempt a call is for; null after adding errors.</summary>
    public static WorkerAttempt? Read(string generationId, string kind, AttemptCall call, ClaimsPrincipal user, FieldErrors errors)
    {
        CheckWorkerId(call.WorkerId, errors);
        var attempt = Read("attempt", call.Attempt, 1, int.MaxValue, null, errors);
        if (call.UpdateId == Guid.Empty)
        {
            errors.Add("updateId", "Must not be the nil UUID.");
        }

        if (!errors.IsEmpty)
        {
            return null;
        }

        var owner = OwnerOf(call.WorkerId!, user);
        return new(generationId, owner, attempt, UpdateIds.Of(call.UpdateId, kind, generationId, owner, attempt));
    }

    public static IReadOnlyList<string> ReadResultUrls(IReadOnlyList<string?>? urls, FieldErrors errors)
    {
        if (urls is { Count: >= 1 and <= ResultRules.MaxResults }
            && urls.All(url => Uri.TryCreate(url, UriKind.Absolute, out var parsed) && ResultRules.IsUrl(parsed)))
        {
            return [.. urls.Select(url => new Uri(url!).AbsoluteUri)];
        }

        errors.Add(
            "resultUrls",
            $"Must be a list of 1 to {ResultRules.MaxResults} absolute http or https addresses of at most {ResultRules.MaxUrlLength} characters.");
        return [];
    }

    /// <summary>An integer within the bounds; without a default it is required.</summary>
    public static int Read(string name, int? value, int min, int max, int? absent, FieldErrors errors)
    {
        if ((value ?? absent) is { } number && number >= min && number <= max)
        {
            return number;
        }

        var bounds = max == int.MaxValue ? $"Must be an integer from {min}." : $"Must be an integer from {min} to {max}.";
        errors.Add(name, value is null ? $"Is required. {bounds}" : bounds);
        return min;
    }

    private static void CheckWorkerId(string? workerId, FieldErrors errors)
    {
        if (workerId is null || !IsWorkerId(workerId))
        {
            errors.Add("workerId", workerId is null ? $"Is required. {WorkerIdError}" : WorkerIdError);
        }
    }

    private static string[] ReadTasks(IReadOnlyList<string?>? tasks, FieldErrors errors)
    {
        string[] names = [.. (tasks ?? []).OfType<string>().Where(GenerationNames.IsValid).Distinct(StringComparer.Ordinal)];
        if (tasks is null || names.Length is 0 or > WorkerToken.MaxTasks || names.Length < tasks.Count)
        {
            errors.Add("tasks", $"Must be a list of 1 to {WorkerToken.MaxTasks} names of tasks, each once: {GenerationNames.Pattern}");
        }

        return names;
    }

    private static List<AttemptRef> ReadAttempts(IReadOnlyList<AttemptBody?>? attempts, FieldErrors errors)
    {
        var read = new List<AttemptRef>();
        foreach (var attempt in attempts ?? [])
        {
            if (attempt is { Id: { } id, Attempt: { } number and > 0 } && GenerationIds.IsWellFormed(id))
            {
                read.Add(new(id, number));
            }
        }

        if (attempts is { Count: > MaxGenerations } || read.Count < (attempts?.Count ?? 0))
        {
            errors.Add("generations", AttemptsError);
        }

        return read;
    }

    private static bool IsWorkerId(string text) => WorkerIdForm().IsMatch(text);

    [GeneratedRegex(@"^[A-Za-z0-9._:\-]{1,100}\z", RegexOptions.CultureInvariant)]
    private static partial Regex WorkerIdForm();
}

/// <summary>A claim.</summary>
/// <param name="Owner">The holder of the leases.</param>
/// <param name="Tasks">The tasks.</param>
/// <param name="Free">How many can start.</param>
/// <param name="FreeOf">How many of single tasks can start.</param>
/// <param name="Running">What the worker is doing.</param>
/// <param name="Lease">How long the leases are.</param>
/// <param name="Wait">How long to wait.</param>
internal sealed record WorkerClaim(
    string Owner,
    IReadOnlyList<string> Tasks,
    int Free,
    IReadOnlyDictionary<string, int> FreeOf,
    IReadOnlyList<AttemptRef> Running,
    TimeSpan Lease,
    TimeSpan Wait);

/// <summary>A heartbeat.</summary>
/// <param name="Owner">The holder of the leases.</param>
/// <param name="Running">What the worker is doing and wants to keep.</param>
/// <param name="Lease">How long the leases are.</param>
/// <param name="Wait">How long to wait for something to stop.</param>
internal sealed record WorkerBeat(string Owner, IReadOnlyList<AttemptRef> Running, TimeSpan Lease, TimeSpan Wait);

/// <summary>Which attempt a call is for, and its id in the log.</summary>
/// <param name="GenerationId">The generation; not known to exist.</param>
/// <param name="Owner">The holder that the attempt's lease must have.</param>
/// <param name="Attempt">The attempt: the fence.</param>
/// <param name="UpdateId">The update's id in the log.</param>
internal sealed record WorkerAttempt(string GenerationId, string Owner, int Attempt, Guid UpdateId);
