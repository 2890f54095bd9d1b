using SkiaSharp;

namespace StatusUpdates.SampleProviders.Rendering;

/// <summary>Opaque raster surfaces and their encodings.</summary>
internal static class Raster
{
    public static SKSurface CreateSurface(int width, int height) =>
        SKSurface.Create(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque))
        ?? throw new InvalidOperationException($"Not enough memory for an image of {width} x {height}.");

    public static byte[] EncodePng(SKSurface surface)
    {
        using var pixels = surface.PeekPixels();
        using var data = pixels.Encode(new SKPngEncoderOptions(SKPngEncoderFilterFlags.AllFilters, 7))
            ?? throw new InvalidOperationException("The image could not be encoded as PNG.");
        return data.ToArray();
    }

    /// <param name="surface">What to encode.</param>
    /// <param name="quality">0 to 100, lossy.</param>
    public static byte[] EncodeWebP(SKSurface surface, float quality)
    {
        using var pixels = surface.PeekPixels();
        using var data = pixels.Encode(new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossy, quality))
            ?? throw new InvalidOperationException("The image could not be encoded as WebP.");
        return data.ToArray();
    }
}
