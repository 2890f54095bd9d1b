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
        }
    }
}
