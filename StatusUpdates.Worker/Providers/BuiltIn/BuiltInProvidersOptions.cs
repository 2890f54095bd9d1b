using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Worker.Providers.BuiltIn;

/// <summary>Settings of the built-in providers; configuration section <c>Worker:Providers</c>, a subsection for each.</summary>
internal sealed class BuiltInProvidersOptions
{
    public const string SectionName = "Worker:Providers";

    /// <summary>How long a product card takes. Default 3 s.</summary>
    [ValidateObjectMembers]
    public ProviderPace ProductCard { get; set; } = new() { Duration = TimeSpan.FromSeconds(3) };

    /// <summary>How long a video takes. Default 6 s.</summary>
    [ValidateObjectMembers]
    public ProviderPace Sora { get; set; } = new() { Duration = TimeSpan.FromSeconds(6) };

    /// <summary>How long a chat answer takes. Default 2 s.</summary>
    [ValidateObjectMembers]
    public ProviderPace ChatProcessing { get; set; } = new() { Duration = TimeSpan.FromSeconds(2) };

    /// <summary>How long an image takes. Default 4 s.</summary>
    [ValidateObjectMembers]
    public ProviderPace ImageGeneration { get; set; } = new() { Duration = TimeSpan.FromSeconds(4) };

    /// <summary>How long a built-in provider takes.</summary>
    internal sealed class ProviderPace
    {
        /// <summary>Time spread over the progress reports, beside the rendering itself; zero is allowed.</summary>
        [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
        public TimeSpan Duration { get; set; }
    }
}

[OptionsValidator]
internal sealed partial class BuiltInProvidersOptionsValidator : IValidateOptions<BuiltInProvidersOptions>;
