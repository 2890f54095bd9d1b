using System.Text.Json;

namespace StatusUpdates.Worker.Providers.BuiltIn;

/// <summary>
/// Makes something real and small on the spot, at a pace that lets people watch. With the option <c>{"fail":"message"}</c> the generation
/// fails on purpose, half-way and with that message; with <c>{"seed":7}</c> the same prompt gives another result.
/// </summary>
internal abstract class BuiltInProvider(TimeSpan duration, TimeProvider time) : IGenerationProvider
{
    // Drawing keeps a core busy: one stays free for updates and heartbeats, however many generations run at once.
    private static readonly SemaphoreSlim Drawing = new(Math.Max(1, Environment.ProcessorCount - 1));

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

        await Drawing.WaitAsync(cancellationToken);
        try
        {
            var (content, cost) = Render(request, cancellationToken);
            return new ProviderResult([content], Tokens(request.Prompt) + cost);
        }
        finally
        {
            Drawing.Release();
        }
    }

    /// <summary>Makes the content, and says what it costs beside the prompt.</summary>
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
