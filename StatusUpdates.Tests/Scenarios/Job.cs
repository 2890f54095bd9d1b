using StatusUpdates.Data.Log;
using StatusUpdates.Messaging;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Transports;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>A generation that is being processed: its updates are committed, then announced.</summary>
internal sealed record Job(string UserId, string GenerationId, int Attempt)
{
    /// <summary>Submits generations of a user and claims them. Not for concurrent use: a claim takes everything that is pending.</summary>
    public static async Task<Job[]> StartAsync(TestApi api, string userId, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await api.PublishAsync(userId);
        }

        var claim = await api.Database.ClaimAsync(limit: count, lease: TimeSpan.FromHours(1), cancellationToken: TestTime.Token);
        await api.AnnounceAsync([.. claim.Updates]);
        Assert.Equal(count, claim.Claimed.Count(claimed => claimed.UserId == userId));
        return [.. claim.Claimed.Select(claimed => new Job(claimed.UserId, claimed.Id, claimed.Attempt))];
    }

    /// <summary>Progress, or a final status.</summary>
    public StatusChange Change(GenerationStatus status = GenerationStatus.Processing, int? progress = null) =>
        new() { GenerationId = GenerationId, Status = status, Attempt = Attempt, Progress = progress };
}

internal static class JobUpdates
{
    /// <summary>Commits changes together, each of another generation, and announces them.</summary>
    public static async Task UpdateAsync(this TestApi api, params StatusChange[] changes)
    {
        var results = await api.Database.Log.AppendAsync(changes, TestTime.Token);
        Assert.All(results, result => Assert.True(result.IsCommitted, $"{result.Refusal}"));
        await api.AnnounceAsync([.. results.Select(result => result.Update!)]);
    }
}
