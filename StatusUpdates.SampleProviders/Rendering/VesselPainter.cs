using SkiaSharp;

namespace StatusUpdates.SampleProviders.Rendering;

/// <summary>Draws a vessel, a solid of revolution with a random profile, on a pedestal.</summary>
internal static class VesselPainter
{
    private const float PedestalHeight = 46;

    /// <param name="canvas">The canvas.</param>
    /// <param name="foot">Center of the pedestal's lower edge.</param>
    /// <param name="palette">The colors.</param>
    /// <param name="random">Determines the shape.</param>
    public static void Draw(SKCanvas canvas, SKPoint foot, Palette palette, SeededRandom random)
    {
        DrawShadow(canvas, foot, 250);
        DrawDrum(canvas, foot, 220, PedestalHeight, palette.Paper, palette.Soft);

        var stand = new SKPoint(foot.X, foot.Y - PedestalHeight);
        var height = random.Between(330, 430);
        float[] radii =
        [
            random.Between(74, 120),
            random.Between(110, 160),
            random.Between(96, 150),
            random.Between(34, 70),
            random.Between(40, 62),
        ];
        DrawShadow(canvas, stand, radii[0] + 14);
        DrawBody(canvas, stand, height, radii, palette);
        DrawBranches(canvas, new SKPoint(stand.X, stand.Y - height), radii[^1], palette, random);
        DrawRim(canvas, new SKPoint(stand.X, stand.Y - height), radii[^1], palette);
    }

    private static void DrawBody(SKCanvas canvas, SKPoint foot, float height, float[] radii, Palette palette)
    {
        using var body = new SKPath();
        var last = radii.Length - 1;
        body.MoveTo(foot.X - radii[0], foot.Y);
        Side(-1, 0, 1);
        body.LineTo(foot.X + radii[last], foot.Y - height);
        Side(1, last, -1);
        body.QuadTo(foot.X, foot.Y + 22, foot.X - radii[0], foot.Y);
        body.Close();

        var widest = radii.Max();
        using var paint = new SKPaint { IsAntialias = true };
        paint.Shader = SKShader.CreateLinearGradient(
            new SKPoint(foot.X - widest, 0),
            new SKPoint(foot.X + widest, 0),
            [palette.Main, Palette.Mix(palette.Main, SKColors.White, 0.55f), palette.Main, palette.Deep, Palette.Mix(palette.Deep, palette.Main, 0.3f)],
            [0f, 0.26f, 0.52f, 0.92f, 1f],
            SKShaderTileMode.Clamp);
        canvas.DrawPath(body, paint);

        // A glazed band and a highlight, both clipped to the body.
        canvas.Save();
        canvas.ClipPath(body, SKClipOperation.Intersect, antialias: true);
        using var band = new SKPaint { IsAntialias = true, Color = palette.Accent.WithAlpha(190), Style = SKPaintStyle.Stroke, StrokeWidth = 26 };
        DrawFront(canvas, new SKPoint(foot.X, foot.Y - (height * 0.46f)), widest + 20, 30, band);
        band.StrokeWidth = 7;
        DrawFront(canvas, new SKPoint(foot.X, foot.Y - (height * 0.38f)), widest + 20, 30, band);
        using var shine = new SKPaint { IsAntialias = true, Color = SKColors.White.WithAlpha(70) };
        using var blur = SKMaskFilter.CreateBlur(SKBlurStyle.Normal, 12);
        shine.MaskFilter = blur;
        canvas.DrawOval(foot.X - (widest * 0.46f), foot.Y - (height * 0.5f), 16, height * 0.34f, shine);
        canvas.Restore();

        // The outline is vertical at each radius, which makes it smooth.
        void Side(int sign, int from, int step)
        {
            for (var i = from; i + step >= 0 && i + step <= last; i += step)
            {
                var y = foot.Y - (height * i / last);
                var nextY = foot.Y - (height * (i + step) / last);
                var middle = (y + nextY) / 2;
                body.CubicTo(
                    foot.X + (sign * radii[i]), middle,
                    foot.X + (sign * radii[i + step]), middle,
                    foot.X + (sign * radii[i + step]), nextY);
            }
        }
    }

    private static void DrawRim(SKCanvas canvas, SKPoint center, float radius, Palette palette)
    {
        using var paint = new SKPaint { IsAntialias = true, Style = SKPaintStyle.Stroke, StrokeWidth = 7 };
        paint.Color = Palette.Mix(palette.Main, SKColors.White, 0.6f);

        // Drawn after the branches, which come out behind this front edge.
        DrawFront(canvas, center, radius - 3, 12, paint);
    }

    /// <summary>The front half of a circle seen from a little above.</summary>
    private static void DrawFront(SKCanvas canvas, SKPoint center, float radius, float depth, SKPaint paint) =>
        canvas.DrawArc(
            new SKRect(center.X - radius, center.Y - depth, center.X + radius, center.Y + depth), 0, 180, useCenter: false, paint);

    private static void DrawBranches(SKCanvas canvas, SKPoint mouth, float radius, Palette palette, SeededRandom random)
    {
        using var inside = new SKPaint { IsAntialias = true, Color = palette.Ink };
        canvas.DrawOval(mouth.X, mouth.Y, radius, 12, inside);

        using var stem = new SKPaint { IsAntialias = true, Color = palette.Deep, Style = SKPaintStyle.Stroke, StrokeWidth = 5, StrokeCap = SKStrokeCap.Round };
        using var leaf = new SKPaint { IsAntialias = true };
        var count = 3 + random.Index(3);
        for (var i = 0; i < count; i++)
        {
            var lean = ((i / (count - 1f)) - 0.5f) * random.Between(150, 210);
            var tip = new SKPoint(mouth.X + lean, mouth.Y - random.Between(95, 150) + (Math.Abs(lean) * 0.35f));
            using var line = new SKPath();
            line.MoveTo(mouth.X + (lean * 0.12f), mouth.Y + 6);
            line.QuadTo(mouth.X + (lean * 0.25f), mouth.Y - 70, tip.X, tip.Y);
            canvas.DrawPath(line, stem);
            leaf.Color = random.Index(2) == 0 ? palette.Deep : palette.Accent;
            canvas.Save();
            canvas.Translate(tip.X, tip.Y);
            canvas.RotateDegrees(lean * 0.5f);
            canvas.DrawOval(0, -20, 17, 34, leaf);
            canvas.Restore();
        }
    }

    private static void DrawDrum(SKCanvas canvas, SKPoint foot, float radius, float height, SKColor light, SKColor shade)
    {
        const float Flat = 24;
        using var paint = new SKPaint { IsAntialias = true };
        paint.Shader = SKShader.CreateLinearGradient(
            new SKPoint(foot.X - radius, 0), new SKPoint(foot.X + radius, 0),
            [shade, light, shade, Palette.Mix(shade, SKColors.Black, 0.12f)], [0f, 0.3f, 0.75f, 1f], SKShaderTileMode.Clamp);
        canvas.DrawOval(foot.X, foot.Y, radius, Flat, paint);
        canvas.DrawRect(foot.X - radius, foot.Y - height, 2 * radius, height, paint);
        using var top = new SKPaint { IsAntialias = true, Color = Palette.Mix(light, SKColors.White, 0.5f) };
        canvas.DrawOval(foot.X, foot.Y - height, radius, Flat, top);
    }

    private static void DrawShadow(SKCanvas canvas, SKPoint center, float radius)
    {
        using var blur = SKMaskFilter.CreateBlur(SKBlurStyle.Normal, 14);
        using var paint = new SKPaint { IsAntialias = true, Color = SKColors.Black.WithAlpha(60), MaskFilter = blur };
        canvas.DrawOval(center.X + 16, center.Y + 8, radius, 20, paint);
    }
}
