using StatusUpdates.Worker.Providers;

namespace StatusUpdates.SampleProviders.Providers;

internal static class SampleProviderServices
{
    /// <summary>Adds a provider for every default task.</summary>
    public static void AddSampleProviders(this IHostApplicationBuilder builder)
    {
        builder.AddProvider<ProductCardProvider>("product_card");
        builder.AddProvider<SoraProvider>("sora");
        builder.AddProvider<ChatProcessingProvider>("chat_processing");
        builder.AddProvider<ImageGenerationProvider>("image_generation");
    }
}
