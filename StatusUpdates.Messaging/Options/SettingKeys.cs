using System.Collections;
using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace StatusUpdates.Messaging.Options;

/// <summary>The configuration keys of options.</summary>
internal static class SettingKeys
{
    /// <summary>The settings of an options class: its properties with a public setter.</summary>
    public static IEnumerable<PropertyInfo> Of(Type options) => options.GetProperties().Where(property => property.SetMethod is { IsPublic: true });

    /// <summary>Whether a setting is a group of settings, and not a value or a list of values.</summary>
    public static bool IsGroup(Type type) => type.IsClass && type != typeof(string) && !typeof(IEnumerable).IsAssignableFrom(type);

    /// <summary>The group of settings that each entry of a setting is, if its keys are names of an operator's choice; null if it is another setting.</summary>
    public static Type? EntryOf(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Dictionary<,>) && IsGroup(type.GenericTypeArguments[1])
            ? type.GenericTypeArguments[1]
            : null;

    /// <summary>An error for each key of a section that is not a setting: one that is misspelled, or that no longer exists.</summary>
    public static IEnumerable<string> Unknown(IConfigurationSection section, Type options)
    {
        var known = Of(options).ToDictionary(property => property.Name, property => property.PropertyType, StringComparer.OrdinalIgnoreCase);
        foreach (var key in section.GetChildren())
        {
            if (!known.TryGetValue(key.Key, out var type))
            {
                yield return known.Count == 0
                    ? $"{key.Path} is not a setting."
                    : $"{key.Path} is not a setting; those of {section.Path} are {string.Join(", ", known.Keys.Order(StringComparer.Ordinal))}.";
            }
            else if (IsGroup(type))
            {
                foreach (var error in Unknown(key, type))
                {
                    yield return error;
                }
            }
            else if (EntryOf(type) is { } entry)
            {
                foreach (var error in key.GetChildren().SelectMany(name => UnknownOf(name, entry)))
                {
                    yield return error;
                }
            }
        }
    }

    // An entry without settings would be ignored, and its name with it.
    private static IEnumerable<string> UnknownOf(IConfigurationSection entry, Type options) => entry.GetChildren().Any()
        ? Unknown(entry, options)
        : [$"{entry.Path} has no settings; it may have {string.Join(", ", Of(options).Select(setting => setting.Name).Order(StringComparer.Ordinal))}."];
}
