using SkiaSharp;

namespace StatusUpdates.SampleProviders.Rendering;

/// <summary>A sea under a low sun, moving in an endless loop, with the prompt as its caption.</summary>
internal static class SeaLoopRenderer
{
    internal const int FrameCount = 40;

    // The scene's coordinates; the image has three quarters of that size, which halves the cost of encoding.
    private const int Width = 640;
    private const int Height = 360;
    private const float Scale = 0.75f;
    private const int Horizon = 196;
    private const int Waves = 6;
    private static readonly TimeSpan FrameTime = TimeSpan.FromMilliseconds(80);

    /// <summary>The loop as an animated WebP file.</summary>
    public static byte[] Render(string prompt, ulong seed, CancellationToken cancellationToken)
    {
        var random = new SeededRandom(seed);
        var scene = Scene.Choose(random, Typography.OneLine(prompt));
        var (width, height) = ((int)(Width * Scale), (int)(Height * Scale));
        using var surface = Raster.CreateSurface(width, height);
        using var animation = new AnimatedWebP(width, height);
        surface.Canvas.Scale(Scale);
        for (var i = 0; i < FrameCount; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            scene.Draw(surface.Canvas, MathF.Tau * i / FrameCount);
            animation.AddFrame(Raster.EncodeWebP(surface, 84), FrameTime);
        }

        return animation.ToArray();
    }

    private sealed record Wave(float Height, float Length, float Phase, int Cycles, SKColor Color);

    private sealed record Star(SKPoint At, float Size, float Phase);

    // All movements have a whole number of cycles in a loop, so the last frame leads into the first.
    private sealed record Scene(Palette Palette, SKPoint Sun, string Caption, IReadOnlyList<Wave> Sea, IReadOnlyList<Star> Stars)
    {
        public static Scene Choose(SeededRandom random, string caption)
        {
            var palette = Palette.Choose(random);
            var sun = new SKPoint(random.Between(170, 470), random.Between(112, 150));
            var sea = Enumerable.Range(0, Waves).Select(i => new Wave(
                3 + (i * 2.2f),
                random.Between(90, 140) + (i * 34),
                random.Between(0, MathF.Tau),
                (random.Index(2) * 2) - 1,
                Palette.Mix(palette.Main, palette.Ink, 0.15f + (0.78f * i / (Waves - 1)))));
            var stars = Enumerable.Range(0, 26).Select(_ => new Star(
                new SKPoint(random.Between(0, Width), random.Between(8, Horizon - 60)), random.Between(0.8f, 2.1f), random.Between(0, MathF.Tau)));
            return new Scene(palette, sun, caption, [.. sea], [.. stars]);
        }

        public void Draw(SKCanvas canvas, float time)
        {
            DrawSky(canvas, time);
            for (var i = 0; i < Sea.Count; i++)
            {
                DrawWave(canvas, Sea[i], Horizon + (i * i * 3.4f) + (i * 9), time);
                if (i == 1)
                {
                    DrawBoat(canvas, time);
                }
            }

            DrawCaption(canvas);
        }

        private void DrawSky(SKCanvas canvas, float time)
        {
            using var sky = new SKPaint();
            sky.Shader = SKShader.CreateLinearGradient(
                new SKPoint(0, 0), new SKPoint(0, Horizon + 24),
                [Palette.Deep, Palette.Main, Palette.AccentSoft], [0f, 0.55f, 1f], SKShaderTileMode.Clamp);
            canvas.DrawRect(0, 0, Width, Height, sky);

            using var star = new SKPaint { IsAntialias = true };
            foreach (var (at, size, phase) in Stars)
            {
                var fade = 1 - (at.Y / Horizon);
                star.Color = SKColors.White.WithAlpha((byte)(fade * (120 + (100 * MathF.Sin(time + phase)))));
                canvas.DrawCircle(at, size, star);
            }

            var rise = 5 * MathF.Sin(time);
            using var glow = new SKPaint { IsAntialias = true };
            glow.Shader = SKShader.CreateRadialGradient(
                new SKPoint(Sun.X, Sun.Y + rise), 150 + rise,
                [Palette.Paper.WithAlpha(170), Palette.AccentSoft.WithAlpha(60), Palette.AccentSoft.WithAlpha(0)], [0f, 0.45f, 1f], SKShaderTileMode.Clamp);
            canvas.DrawCircle(Sun.X, Sun.Y + rise, 150 + rise, glow);
            using var disc = new SKPaint { IsAntialias = true, Color = Palette.Paper };
            canvas.DrawCircle(Sun.X, Sun.Y + rise, 46, disc);
        }

        private static void DrawWave(SKCanvas canvas, Wave wave, float level, float time)
        {
            using var path = new SKPath();
            path.MoveTo(0, Height);
            for (var x = 0; x <= Width; x += 8)
            {
                path.LineTo(x, level + Rise(wave, x, time));
            }

            path.LineTo(Width, Height);
            path.Close();
            using var paint = new SKPaint { IsAntialias = true, Color = wave.Color };
            canvas.DrawPath(path, paint);
        }

        private static float Rise(Wave wave, float x, float time) => wave.Height * (
            MathF.Sin((MathF.Tau * x / wave.Length) + wave.Phase + (wave.Cycles * time)) +
            (0.4f * MathF.Sin((MathF.Tau * x / (wave.Length * 0.43f)) - (2 * wave.Cycles * time))));

        private void DrawBoat(SKCanvas canvas, float time)
        {
            var x = Width - Sun.X;
            var y = Horizon + 8 + Rise(Sea[1], x, time);
            canvas.Save();
            canvas.Translate(x, y);
            canvas.RotateDegrees(5 * MathF.Sin(time + 1));
            using var sail = new SKPaint { IsAntialias = true, Color = Palette.Paper };
            DrawPolygon(canvas, sail, (2, -58), (2, -10), (34, -10));
            sail.Color = Palette.Accent;
            DrawPolygon(canvas, sail, (-3, -48), (-3, -10), (-24, -10));
            sail.Color = Palette.Ink;
            DrawPolygon(canvas, sail, (-34, -6), (40, -6), (26, 12), (-22, 12));
            canvas.Restore();
        }

        private static void DrawPolygon(SKCanvas canvas, SKPaint paint, params (float X, float Y)[] corners)
        {
            using var path = new SKPath();
            path.MoveTo(corners[0].X, corners[0].Y);
            foreach (var (x, y) in corners.AsSpan(1))
            {
                path.LineTo(x, y);
            }

            path.Close();
            canvas.DrawPath(path, paint);
        }

        private void DrawCaption(SKCanvas canvas)
        {
            if (Typography.Wrap(Caption, Typography.Bold, 22, Width - 56, 1) is [var line, ..])
            {
                Typography.Draw(canvas, line, 28, Height - 26, Typography.Bold, 22, Palette.Paper);
            }
        }
    }
}
