using StatusUpdates.Data.Schema;
using StatusUpdates.Worker.Providers;

namespace StatusUpdates.SampleProviders.Providers;

internal static class SampleProviderServices
{
    /// <summary>Adds a provider for every task.</summary>
    public static void AddSampleProviders(this IHostApplicationBuilder builder)
    {
        builder.AddProvider<ProductCardProvider>(GenerationTask.ProductCard);
        builder.AddProvider<SoraProvider>(GenerationTask.Sora);
        builder.AddProvider<ChatProcessingProvider>(GenerationTask.ChatProcessing);
        builder.AddProvider<ImageGenerationProvider>(GenerationTask.ImageGeneration);
    }
}
