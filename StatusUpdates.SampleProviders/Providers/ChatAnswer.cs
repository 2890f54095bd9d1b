using System.Globalization;
using System.Text;
using StatusUpdates.SampleProviders.Rendering;

namespace StatusUpdates.SampleProviders.Providers;

/// <summary>An answer computed from the prompt alone: what was asked, its words, and a way to approach it.</summary>
internal static class ChatAnswer
{
    private static readonly char[] Punctuation = [.. " \t\r\n.,;:!?\"'()[]{}<>/\\|*_#`~«»“”„…—–"];
    private static readonly string[] Openings =
        ["Here is how I read it.", "Let us break it down.", "A good question to start with.", "This can be answered in steps."];

    public static string Compose(string prompt)
    {
        var line = Typography.OneLine(prompt);
        var words = line.Split(Punctuation, StringSplitOptions.RemoveEmptyEntries);
        var topics = Topics(words);
        var answer = new StringBuilder();
        answer.Append("# ").Append(Shortened(line, 80)).Append("\n\n");
        answer.Append(Openings[line.Length % Openings.Length]).Append("\n\n");

        Heading(answer, "What you asked");
        answer.Append(CultureInfo.InvariantCulture, $"{Count(words.Length, "word")}, {Count(Sentences(line), "sentence")}, ");
        answer.Append(line.Contains('?', StringComparison.Ordinal) ? "put as a question.\n" : "put as a statement.\n");
        if (topics.Count > 0)
        {
            answer.Append("Key words: ").AppendJoin(", ", topics).Append(".\n");
        }

        answer.Append('\n');
        Heading(answer, "How to approach it");
        var step = 1;
        foreach (var topic in topics.DefaultIfEmpty("the goal"))
        {
            answer.Append(CultureInfo.InvariantCulture, $"{step++}. Describe what \"{topic}\" has to achieve, and how you will know that it does.\n");
        }

        answer.Append(CultureInfo.InvariantCulture, $"{step++}. Try the smallest version that could work, and look at the result.\n");
        answer.Append(CultureInfo.InvariantCulture, $"{step}. Keep what helped, drop the rest, and ask again with what you learned.\n\n");
        answer.Append("---\nComposed by the sample chat provider; connect a language model for real answers.\n");
        return answer.ToString();
    }

    /// <summary>The longest words, each once, in the order of the text: a fair guess at its topics.</summary>
    private static IReadOnlyList<string> Topics(string[] words)
    {
        var distinct = words.Select(w => w.ToLowerInvariant()).Where(w => w.Length > 3).Distinct(StringComparer.Ordinal).ToList();
        var chosen = distinct.OrderByDescending(w => w.Length).Take(3).ToHashSet(StringComparer.Ordinal);
        return [.. distinct.Where(chosen.Contains).Select(w => Shortened(w, 40))];
    }

    private static int Sentences(string line) => Math.Max(
        1, line.Split(['.', '!', '?', '…'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Length);

    private static string Count(int number, string noun) =>
        string.Create(CultureInfo.InvariantCulture, $"{number} {noun}{(number == 1 ? "" : "s")}");

    private static string Shortened(string text, int length)
    {
        if (text.Length <= length)
        {
            return text;
        }

        // Not between the halves of a surrogate pair.
        var end = char.IsHighSurrogate(text[length - 1]) ? length - 1 : length;
        return text[..end].TrimEnd() + "…";
    }

    private static void Heading(StringBuilder answer, string text) => answer.Append("## ").Append(text).Append("\n\n");
}
