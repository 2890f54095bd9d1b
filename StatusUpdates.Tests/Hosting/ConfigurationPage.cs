using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Xml.Linq;
using StatusUpdates.Messaging.Options;

namespace StatusUpdates.Tests.Hosting;

/// <summary>The tables of <c>docs/configuration.md</c>, from the options and their XML documentation.</summary>
internal static class ConfigurationPage
{
    private static readonly Assembly[] Assemblies =
    [
        typeof(StatusUpdates.Api.Program).Assembly,
        typeof(StatusUpdates.Worker.WorkerProgram).Assembly,
        typeof(StatusUpdates.Bot.Program).Assembly,
        typeof(StatusUpdates.Webhooks.WebhookOptions).Assembly,
        typeof(StatusUpdates.ChatLinks.TelegramOptions).Assembly,
        typeof(StatusUpdates.ResultStore.ResultsOptions).Assembly,
        typeof(StatusUpdates.Data.Database.StatusDatabase).Assembly,
        typeof(StatusUpdates.Messaging.StatusUpdate).Assembly,
    ];

    private static readonly Dictionary<string, XElement> Documentation = Assemblies
        .SelectMany(assembly => XDocument.Load(Path.ChangeExtension(assembly.Location, ".xml")).Descendants("member"))
        .Where(member => ((string)member.Attribute("name")!)[1..].StartsWith(":StatusUpdates.", StringComparison.Ordinal))
        .ToDictionary(member => (string)member.Attribute("name")!);

    /// <summary>The classes that are bound to a section, by its name.</summary>
    public static IEnumerable<(string Section, Type Options)> Sections() =>
        from assembly in Assemblies
        from type in assembly.GetTypes()
        let section = type.GetField("SectionName")?.GetRawConstantValue() as string
        where section is not null
        orderby section
        select (Section: section!, Options: type);

    public static IEnumerable<Setting> Settings() => Sections().SelectMany(
        section => Settings(section.Section, Activator.CreateInstance(section.Options)!, ""));

    /// <summary>A heading, what the class says, and a table for each section.</summary>
    public static string Write()
    {
        var page = new StringBuilder();
        foreach (var (section, options) in Sections())
        {
            page.Append(CultureInfo.InvariantCulture, $"\n## {section}\n\n{Text(Documentation["T:" + NameOf(options)], "summary")}\n\n");
            page.Append("| setting | default | range | what it does |\n| --- | --- | --- | --- |\n");
            foreach (var setting in Settings(section, Activator.CreateInstance(options)!, ""))
            {
                page.Append(CultureInfo.InvariantCulture, $"| {setting.Key} | {setting.Default} | {setting.Range} | {setting.Meaning} |\n");
            }
        }

        return page.ToString();
    }

    private static IEnumerable<Setting> Settings(string key, object options, string meaning)
    {
        foreach (var property in SettingKeys.Of(options.GetType()))
        {
            var documentation = Documentation.GetValueOrDefault($"P:{NameOf(property.DeclaringType!)}.{property.Name}");
            var value = property.GetValue(options);
            var summary = Join(meaning, Text(documentation, "summary"));
            if (SettingKeys.IsGroup(property.PropertyType))
            {
                foreach (var setting in Settings($"{key}:{property.Name}", value!, summary))
                {
                    yield return setting;
                }

                continue;
            }

            // Each entry is a group, under a name of the operator's choice.
            if (SettingKeys.EntryOf(property.PropertyType) is { } entry)
            {
                var name = $"<{property.Name.ToLowerInvariant().TrimEnd('s')}>";
                foreach (var setting in Settings($"{key}:{property.Name}:{name}", Activator.CreateInstance(entry)!, summary))
                {
                    yield return setting;
                }

                continue;
            }

            yield return new(
                property.PropertyType.IsArray ? $"`{key}:{property.Name}:0`, …" : $"`{key}:{property.Name}`",
                Text(documentation, "value") is { Length: > 0 } text ? text : Format(value),
                RangeOf(property),
                summary);
        }
    }

    // "Requests of one user." and "The rate." are "Requests of one user: the rate."
    private static string Join(string group, string setting) =>
        group.Length == 0 || setting.Length == 0 ? group + setting : $"{group.TrimEnd('.')}: {char.ToLowerInvariant(setting[0])}{setting[1..]}";

    private static string Format(object? value) => value switch
    {
        null or "" or ICollection { Count: 0 } => "none",
        bool flag => flag ? "true" : "false",
        string text => $"`{text}`",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => throw new NotSupportedException($"A default of the type {value.GetType()}"),
    };

    private static string RangeOf(PropertyInfo property) =>
        property.GetCustomAttribute<RangeAttribute>() is { } range
            ? string.Create(CultureInfo.InvariantCulture, $"{range.Minimum} to {range.Maximum}")
            : property.GetCustomAttribute<StringLengthAttribute>() is { } length
                ? string.Create(CultureInfo.InvariantCulture, $"up to {length.MaximumLength} characters")
                : "";

    private static string NameOf(Type type) => type.FullName!.Replace('+', '.');

    // In one line: a reference is the name of what it refers to.
    private static string Text(XElement? member, string part) => string.Join(' ', string.Concat((member?.Element(part)?.Nodes() ?? []).Select(node => node switch
    {
        XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
        XElement { Name.LocalName: "see" } see => $"`{((string?)see.Attribute("cref") ?? "").Split('.')[^1]}`",
        XText text => text.Value,
        _ => throw new NotSupportedException($"{node} in the documentation of a setting"),
    })).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).Replace("|", "\\|", StringComparison.Ordinal);

    /// <summary>A row of a table.</summary>
    internal sealed record Setting(string Key, string Default, string Range, string Meaning);
}
