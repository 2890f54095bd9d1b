using System.Text;
using System.Text.RegularExpressions;
using SkiaSharp;

namespace StatusUpdates.SampleProviders.Rendering;

/// <summary>
/// Text in the typeface that ships with this program (Manrope: Latin, Cyrillic, Greek), because a server often has no fonts at all; for
/// other scripts the system's fonts are used, if it has any. Thread-safe.
/// </summary>
internal static partial class Typography
{
    public static SKTypeface Medium { get; } = Load("Manrope-Medium.ttf");

    public static SKTypeface Bold { get; } = Load("Manrope-ExtraBold.ttf");

    /// <summary>One line without control characters, with white space collapsed.</summary>
    public static string OneLine(string text) => WhiteSpace().Replace(text, " ").Trim();

    public static float Measure(string text, SKTypeface typeface, float size, float spacing = 0)
    {
        var width = 0f;
        ForEachRun(text, typeface, size, (run, font) => width += font.MeasureText(run));
        return width + (spacing * text.Length);
    }

    /// <summary>Draws from the left end of the baseline; <paramref name="spacing"/> is added after every character.</summary>
    public static void Draw(
        SKCanvas canvas, string text, float x, float y, SKTypeface typeface, float size, SKColor color, float spacing = 0)
    {
        using var paint = new SKPaint { Color = color, IsAntialias = true };
        if (spacing == 0)
        {
            DrawRuns(text);
            return;
        }

        foreach (var rune in text.EnumerateRunes())
        {
            DrawRuns(rune.ToString());
            x += spacing;
        }

        void DrawRuns(string part) => ForEachRun(part, typeface, size, (run, font) =>
        {
            canvas.DrawText(run, x, y, SKTextAlign.Left, font, paint);
            x += font.MeasureText(run);
        });
    }

    /// <summary>Breaks a text at spaces, and words that are too long anywhere; text that does not fit is cut off with an ellipsis.</summary>
    public static IReadOnlyList<string> Wrap(string text, SKTypeface typeface, float size, float width, int maxLines)
    {
        var lines = new List<string>();
        var rest = text;
        while (rest.Length > 0)
        {
            var fitting = Fitting(rest, typeface, size, width);
            if (fitting < rest.Length && lines.Count == maxLines - 1)
            {
                fitting = Fitting(rest, typeface, size, width - Measure("…", typeface, size));
                lines.Add(rest[..fitting].TrimEnd() + "…");
                break;
            }

            if (fitting < rest.Length && rest[fitting] != ' ' && rest.LastIndexOf(' ', fitting - 1) is var space and > 0)
            {
                fitting = space;
            }

            lines.Add(rest[..fitting].TrimEnd());
            rest = rest[fitting..].TrimStart();
        }

        return lines;
    }

    /// <summary>How many characters from the start of the text fit, at least one.</summary>
    private static int Fitting(string text, SKTypeface typeface, float size, float width)
    {
        var used = 0f;
        var index = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            used += Measure(rune.ToString(), typeface, size);
            if (used > width && index > 0)
            {
                break;
            }

            index += rune.Utf16SequenceLength;
        }

        return index;
    }

    private static void ForEachRun(string text, SKTypeface typeface, float size, Action<string, SKFont> use)
    {
        var run = new StringBuilder();
        SKTypeface? current = null;
        foreach (var rune in text.EnumerateRunes())
        {
            var next = typeface.ContainsGlyph(rune.Value) ? typeface : SKFontManager.Default.MatchCharacter(rune.Value);
            if (next is null)
            {
                // No font on this machine has it: skipped, rather than drawn as a box.
                continue;
            }

            if (current is not null && next != current)
            {
                Flush(current);
            }

            current = next;
            run.Append(rune.ToString());
        }

        if (current is not null)
        {
            Flush(current);
        }

        void Flush(SKTypeface used)
        {
            using var font = new SKFont(used, size) { Edging = SKFontEdging.Antialias, Subpixel = true };
            use(run.ToString(), font);
            run.Clear();
        }
    }

    private static SKTypeface Load(string file)
    {
        var name = $"{typeof(Typography).Namespace}.Fonts.{file}";
        using var stream = typeof(Typography).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"{name} is not embedded.");
        using var data = SKData.Create(stream);
        return SKTypeface.FromData(data) ?? throw new InvalidOperationException($"{name} is not a font.");
    }

    [GeneratedRegex(@"[\s\p{Cc}]+")]
    private static partial Regex WhiteSpace();
}
