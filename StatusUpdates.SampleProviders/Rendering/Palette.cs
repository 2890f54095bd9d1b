using SkiaSharp;

namespace StatusUpdates.SampleProviders.Rendering;

/// <summary>Matching colors, around a random hue.</summary>
internal sealed class Palette(float hue, float accentHue)
{
    // Hues that look good on large areas; yellow-greens do not.
    private static readonly float[] Hues = [10, 24, 40, 158, 176, 194, 210, 226, 246, 268, 318, 340];

    public SKColor Ink { get; } = SKColor.FromHsl(hue, 42, 13);

    public SKColor Deep { get; } = SKColor.FromHsl(hue, 48, 27);

    public SKColor Main { get; } = SKColor.FromHsl(hue, 46, 56);

    public SKColor Soft { get; } = SKColor.FromHsl(hue, 50, 80);

    public SKColor Paper { get; } = SKColor.FromHsl(hue, 46, 95);

    public SKColor Accent { get; } = SKColor.FromHsl(accentHue, 72, 63);

    public SKColor AccentSoft { get; } = SKColor.FromHsl(accentHue, 78, 82);

    public static Palette Choose(SeededRandom random)
    {
        var hue = Hues[random.Index(Hues.Length)] + random.Between(-6, 6);

        // Complementary, split-complementary or neighboring hues: accents that suit any hue.
        float[] angles = [180, 155, 205, 48, 315];
        return new Palette(hue, (hue + angles[random.Index(angles.Length)]) % 360);
    }

    /// <summary>A mix: all of <paramref name="a"/> at 0, all of <paramref name="b"/> at 1.</summary>
    public static SKColor Mix(SKColor a, SKColor b, float share) => new(
        (byte)(a.Red + ((b.Red - a.Red) * share)),
        (byte)(a.Green + ((b.Green - a.Green) * share)),
        (byte)(a.Blue + ((b.Blue - a.Blue) * share)));
}
