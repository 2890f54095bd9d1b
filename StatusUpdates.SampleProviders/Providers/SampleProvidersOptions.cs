namespace StatusUpdates.SampleProviders.Providers;

/// <summary>
/// The pace of the sample providers, slow enough to watch: for each task, the time that is spread over its progress reports, in addition to the rendering
/// itself; zero is allowed. Nothing here is a setting: only tests change it.
/// </summary>
internal sealed class SampleProvidersOptions
{
    public TimeSpan ProductCard { get; internal set; } = TimeSpan.FromSeconds(3);

    public TimeSpan Sora { get; internal set; } = TimeSpan.FromSeconds(6);

    public TimeSpan ChatProcessing { get; internal set; } = TimeSpan.FromSeconds(2);

    public TimeSpan ImageGeneration { get; internal set; } = TimeSpan.FromSeconds(4);
}
