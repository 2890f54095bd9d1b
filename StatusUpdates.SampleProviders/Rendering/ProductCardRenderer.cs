using SkiaSharp;

namespace StatusUpdates.SampleProviders.Rendering;

/// <summary>Draws a product card: a vessel on a pedestal, and below it the prompt as title, its longest words and the palette.</summary>
internal static class ProductCardRenderer
{
    private const int Width = 900;
    private const int Height = 1200;
    private const int Margin = 64;
    private const int PanelTop = 800;
    private const string Prefix = "product card:";

    /// <summary>The card as a PNG file.</summary>
    public static byte[] Render(string prompt, ulong seed)
    {
        var random = new SeededRandom(seed);
        var palette = Palette.Choose(random);
        using var surface = Raster.CreateSurface(Width, Height);
        var canvas = surface.Canvas;

        DrawBackdrop(canvas, palette, random);
        DrawHeader(canvas, palette, seed);
        VesselPainter.Draw(canvas, new SKPoint(Width / 2f, PanelTop - 66), palette, random);
        DrawPanel(canvas, palette, TitleOf(prompt));
        return Raster.EncodePng(surface);
    }

    internal static string TitleOf(string prompt)
    {
        var title = Typography.OneLine(prompt);
        if (title.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && title.Length > Prefix.Length)
        {
            title = title[Prefix.Length..].TrimStart();
        }

        return title.Length == 0 ? "Untitled" : char.ToUpperInvariant(title[0]) + title[1..];
    }

    private static void DrawBackdrop(SKCanvas canvas, Palette palette, SeededRandom random)
    {
        using (var paint = new SKPaint())
        {
            paint.Shader = SKShader.CreateLinearGradient(
                new SKPoint(0, 0), new SKPoint(0, PanelTop), [palette.Paper, palette.Soft], SKShaderTileMode.Clamp);
            canvas.DrawRect(0, 0, Width, PanelTop, paint);
        }

        // The halo behind the product, and a smaller moon beside it.
        var side = random.Index(2) == 0 ? -1 : 1;
        DrawDisc(canvas, new SKPoint(Width / 2f, 430), 300, palette.AccentSoft, palette.Accent);
        DrawDisc(canvas, new SKPoint((Width / 2f) + (side * 285), random.Between(215, 300)), random.Between(42, 70), palette.Paper, palette.Main);

        using var floor = new SKPaint { IsAntialias = true, Color = Palette.Mix(palette.Soft, palette.Main, 0.35f) };
        using var hill = new SKPath();
        hill.MoveTo(0, 668);
        hill.CubicTo(250, 626, 640, 640, Width, 692);
        hill.LineTo(Width, Height);
        hill.LineTo(0, Height);
        hill.Close();
        canvas.DrawPath(hill, floor);
    }

    private static void DrawDisc(SKCanvas canvas, SKPoint center, float radius, SKColor from, SKColor to)
    {
        using var paint = new SKPaint { IsAntialias = true };
        paint.Shader = SKShader.CreateLinearGradient(
            new SKPoint(center.X - radius, center.Y - radius), new SKPoint(center.X + radius, center.Y + radius),
            [from, to], SKShaderTileMode.Clamp);
        canvas.DrawCircle(center, radius, paint);
    }

    private static void DrawHeader(SKCanvas canvas, Palette palette, ulong seed)
    {
        const string Kind = "PRODUCT CARD";
        var number = $"No. {seed % 10_000:0000}";
        Typography.Draw(canvas, Kind, Margin, 92, Typography.Bold, 22, palette.Deep, spacing: 4);
        var width = Typography.Measure(number, Typography.Medium, 22, spacing: 2);
        Typography.Draw(canvas, number, Width - Margin - width, 92, Typography.Medium, 22, palette.Deep, spacing: 2);
    }

    private static void DrawPanel(SKCanvas canvas, Palette palette, string title)
    {
        using (var paint = new SKPaint { Color = SKColors.White, IsAntialias = true })
        {
            canvas.DrawRoundRect(new SKRect(0, PanelTop, Width, Height + 60), 56, 56, paint);
        }

        // The largest size at which the title fits in two lines, else the smallest with three lines.
        var size = new[] { 72f, 62, 54, 46 }.FirstOrDefault(
            s => Typography.Wrap(title, Typography.Bold, s, Width - (2 * Margin), 3).Count <= 2, 46);
        var y = PanelTop + 62 + size;
        foreach (var line in Typography.Wrap(title, Typography.Bold, size, Width - (2 * Margin), 3))
        {
            Typography.Draw(canvas, line, Margin, y, Typography.Bold, size, palette.Ink);
            y += size * 1.18f;
        }

        DrawTags(canvas, palette, title);
        DrawSwatches(canvas, palette);
    }

    private static void DrawTags(SKCanvas canvas, Palette palette, string title)
    {
        const float Size = 26;
        const float Top = Height - 118;
        var x = (float)Margin;
        var tags = title.Split([' ', ',', '.', ';', ':', '!', '?', '"', '(', ')'], StringSplitOptions.RemoveEmptyEntries)
            .Select(w => w.ToLowerInvariant()).Where(w => w.Length is > 3 and < 18).Distinct()
            .OrderByDescending(w => w.Length).ThenBy(w => w, StringComparer.Ordinal).Take(3);
        using var paint = new SKPaint { Color = palette.Paper, IsAntialias = true };
        foreach (var tag in tags)
        {
            var width = Typography.Measure(tag, Typography.Medium, Size);
            if (x + width + 44 > Width - 290)
            {
                break;
            }

            canvas.DrawRoundRect(new SKRect(x, Top, x + width + 44, Top + 54), 27, 27, paint);
            Typography.Draw(canvas, tag, x + 22, Top + 36, Typography.Medium, Size, palette.Deep);
            x += width + 58;
        }
    }

    private static void DrawSwatches(SKCanvas canvas, Palette palette)
    {
        SKColor[] colors = [palette.Deep, palette.Main, palette.Soft, palette.AccentSoft, palette.Accent];
        using var paint = new SKPaint { IsAntialias = true };
        for (var i = 0; i < colors.Length; i++)
        {
            paint.Color = colors[i];
            canvas.DrawCircle(Width - Margin - 22 - ((colors.Length - 1 - i) * 46), Height - 91, 22, paint);
        }
    }
}
