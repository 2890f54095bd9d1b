using SkiaSharp;

namespace StatusUpdates.SampleProviders.Rendering;

/// <summary>Generative art: strands that follow a field of smooth waves.</summary>
internal static class FlowFieldRenderer
{
    private const int Size = 768;
    private const int Strands = 900;
    private const int Steps = 90;
    private const float Stride = 4;

    /// <summary>The picture as a PNG file.</summary>
    public static byte[] Render(ulong seed, CancellationToken cancellationToken)
    {
        var random = new SeededRandom(seed);
        var palette = Palette.Choose(random);
        var field = Field.Choose(random);
        SKColor[] colors = random.Index(2) == 0
            ? [palette.Soft, palette.Main, palette.Accent, palette.AccentSoft, palette.Paper]
            : [palette.Deep, palette.Main, palette.Accent, palette.Ink, palette.AccentSoft];
        var ground = colors.Contains(palette.Ink) ? palette.Paper : palette.Ink;

        using var surface = Raster.CreateSurface(Size, Size);
        surface.Canvas.Clear(ground);
        using var paint = new SKPaint { IsAntialias = true, Style = SKPaintStyle.Stroke, StrokeCap = SKStrokeCap.Round };
        for (var i = 0; i < Strands; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var start = new SKPoint(random.Between(-60, Size + 60), random.Between(-60, Size + 60));

            // Wide strands lie below, fine ones above; a strand has the color of the region where it begins.
            paint.StrokeWidth = 1.5f + (13 * MathF.Pow(1 - (i / (float)Strands), 2) * random.Between(0.4f, 1));
            var region = (int)(field.At(start.X * 0.6f, start.Y * 0.6f) * 1.6f) + random.Index(2);
            paint.Color = colors[((region % colors.Length) + colors.Length) % colors.Length];
            DrawStrand(surface.Canvas, paint, field, start);
        }

        return Raster.EncodePng(surface);
    }

    private static void DrawStrand(SKCanvas canvas, SKPaint paint, Field field, SKPoint at)
    {
        using var path = new SKPath();
        path.MoveTo(at);
        for (var step = 0; step < Steps; step++)
        {
            var (sin, cos) = MathF.SinCos(field.At(at.X, at.Y));
            at = new SKPoint(at.X + (cos * Stride), at.Y + (sin * Stride));
            path.LineTo(at);
        }

        canvas.DrawPath(path, paint);
    }

    /// <summary>An angle for every point: a sum of a few plane waves.</summary>
    private sealed record Field(float Base, IReadOnlyList<(float X, float Y, float Phase, float Amplitude)> Waves)
    {
        public static Field Choose(SeededRandom random) => new(
            random.Between(0, MathF.Tau),
            [.. Enumerable.Range(1, 4).Select(i => (
                random.Between(-0.006f, 0.006f) * MathF.Sqrt(i),
                random.Between(-0.006f, 0.006f) * MathF.Sqrt(i),
                random.Between(0, MathF.Tau),
                1.7f / i))]);

        public float At(float x, float y)
        {
            var angle = Base;
            foreach (var (waveX, waveY, phase, amplitude) in Waves)
            {
                angle += amplitude * MathF.Sin((x * waveX) + (y * waveY) + phase);
            }

            return angle;
        }
    }
}
