using System.Runtime.CompilerServices;

namespace StatusUpdates.Tests.Hosting;

public sealed class ConfigurationPageTests
{
    // Everything after it is generated.
    private const string Start = "<!-- From here on generated: STATUSUPDATES_WRITE_DOCS=1 ./test --filter ConfigurationPage -->\n";

    [Fact]
    public async Task The_page_about_configuration_says_what_the_options_say()
    {
        var path = Path.Combine(Root(), "docs", "configuration.md");
        var page = await File.ReadAllTextAsync(path, TestTime.Token);
        var start = page.IndexOf(Start, StringComparison.Ordinal);
        Assert.True(start >= 0, $"{path} lacks the line {Start}");

        var expected = page[..(start + Start.Length)] + ConfigurationPage.Write();
        if (Environment.GetEnvironmentVariable("STATUSUPDATES_WRITE_DOCS") == "1")
        {
            await File.WriteAllTextAsync(path, expected, TestTime.Token);
            return;
        }

        Assert.True(
            expected == page,
            $"{path} is out of date. Write it with: STATUSUPDATES_WRITE_DOCS=1 ./test --filter ConfigurationPage");
    }

    [Fact]
    public void A_section_is_bound_by_one_class_and_every_setting_says_what_it_does()
    {
        Assert.Distinct(ConfigurationPage.Sections().Select(section => section.Section));
        Assert.All(ConfigurationPage.Settings(), setting => Assert.NotEmpty(setting.Meaning));
    }

    // The description of a type is data.
    [Fact]
    public void There_are_at_most_sixty_settings() =>
        Assert.InRange(ConfigurationPage.Settings().Count(setting => !setting.Key.Contains("Generations:Types:", StringComparison.Ordinal)), 1, 60);

    private static string Root([CallerFilePath] string thisFile = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", ".."));
}
