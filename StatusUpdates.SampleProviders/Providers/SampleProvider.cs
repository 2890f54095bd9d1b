using System.Text.Json;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.SampleProviders.Providers;

/// <summary>
/// Creates a small but real result, slowly enough for people to watch. With the option <c>{"fail":"message"}</c> the generation fails on purpose,
/// halfway and with that message; with <c>{"seed":7}</c> the same prompt gives another result.
/// </summary>
internal abstract class SampleProvider(TimeSpan duration, TimeProvider time) : IGenerationProvider
{
    // Rendering keeps a core busy: one core stays free for updates and heartbeats, however many generations run at once.
    private static readonly SemaphoreSlim RenderSlots = new(Math.Max(1, Environment.ProcessorCount - 1));

    // Reported at the beginning of equal parts of the duration.
    private static readonly int[] Milestones = [10, 35, 60, 85];

    public async Task<ProviderResult> GenerateAsync(
        ProviderRequest request, IProviderProgress progress, CancellationToken cancellationToken)
    {
        var pause = duration / Milestones.Length;
        foreach (var percent in Milestones)
        {
            await progress.ReportAsync(percent, cancellationToken);
            await Task.Delay(pause, time, cancellationToken);
            if (percent > 50)
            {
                ThrowIfAskedToFail(request.Options);
            }
        }

        await RenderSlots.WaitAsync(cancellationToken);
        try
        {
            var (content, cost) = Render(request, cancellationToken);
            return new ProviderResult([content], Tokens(request.Prompt) + cost);
        }
        finally
        {
            RenderSlots.Release();
        }
    }

    /// <summary>Creates the content, and returns its cost in addition to the prompt's.</summary>
    protected abstract (ProviderContent Content, long Tokens) Render(ProviderRequest request, CancellationToken cancellationToken);

    /// <summary>A rule of thumb: four characters are a token.</summary>
    protected static long Tokens(string text) => (text.Length + 3) / 4;

    private static void ThrowIfAskedToFail(JsonElement options)
    {
        if (options.ValueKind == JsonValueKind.Object && options.TryGetProperty("fail", out var fail))
        {
            throw new ProviderException(fail.ValueKind == JsonValueKind.String ? fail.GetString()! : "Failed on request.");
        }
    }
}
