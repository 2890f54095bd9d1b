using System.Text.RegularExpressions;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Types;

/// <summary>What is wrong with the configured types. Each error names its key and what is allowed.</summary>
internal static partial class TypesValidation
{
    private const string Root = $"{TypesOptions.SectionName}:{nameof(TypesOptions.Types)}";
    private const string NameRule = "a name has 1 to 64 lower-case letters, digits and underscores, and begins with a letter";
    private const int MaxTitleLength = 100;

    public static IEnumerable<string> ErrorsOf(TypesOptions options)
    {
        if (options is { DefaultTypes: false, Types.Count: 0 })
        {
            yield return $"{Root} must have a type, because {TypesOptions.SectionName}:{nameof(TypesOptions.DefaultTypes)} is false.";
        }

        foreach (var error in options.Types.SelectMany(type => ErrorsOfType($"{Root}:{type.Key}", type.Key, type.Value)).Concat(SharedTasks(options)))
        {
            yield return error;
        }
    }

    // Every task has one type: a generation's task says which provider runs it, whatever its type is.
    private static IEnumerable<string> SharedTasks(TypesOptions options)
    {
        var owners = GenerationTypes.Default.All.Where(type => options.DefaultTypes && !options.Types.ContainsKey(type.Name))
            .SelectMany(type => type.Tasks.Select(task => (Task: task.Name, Type: type.Name)))
            .ToDictionary(owner => owner.Task, owner => owner.Type, StringComparer.Ordinal);
        foreach (var (type, task) in options.Types.OrderBy(type => type.Key, StringComparer.Ordinal).SelectMany(type => type.Value.Tasks.Keys.Select(task => (type.Key, task))))
        {
            if (!owners.TryAdd(task, type))
            {
                yield return $"{Root}:{type}:Tasks:{task} is also a task of the type {owners[task]}; a task belongs to one type.";
            }
        }
    }

    private static IEnumerable<string> ErrorsOfType(string key, string name, TypeSettings type)
    {
        if (!GenerationNames.IsValid(name))
        {
            yield return $"{key} is not a valid name of a type: {NameRule}.";
        }

        if (!IsTitle(type.Title))
        {
            yield return TitleError(key);
        }

        if (type.Tasks.Count == 0)
        {
            yield return $"{key}:Tasks must have at least one task, such as {key}:Tasks:{name}:Makes:0 = image/.";
        }
        else if (type.DefaultTask is null ? type.Tasks.Count > 1 : !type.Tasks.ContainsKey(type.DefaultTask))
        {
            yield return $"{key}:DefaultTask must be one of this type's tasks: {string.Join(", ", type.Tasks.Keys.Order(StringComparer.Ordinal))}.";
        }

        foreach (var error in type.Tasks.SelectMany(task => ErrorsOfTask($"{key}:Tasks:{task.Key}", task.Key, task.Value)))
        {
            yield return error;
        }
    }

    private static IEnumerable<string> ErrorsOfTask(string key, string name, TaskSettings task)
    {
        if (!GenerationNames.IsValid(name))
        {
            yield return $"{key} is not a valid name of a task: {NameRule}.";
        }

        if (!IsTitle(task.Title))
        {
            yield return TitleError(key);
        }

        for (var i = 0; i < task.Makes.Length; i++)
        {
            if (!MediaType().IsMatch(task.Makes[i]))
            {
                yield return $"{key}:Makes:{i} must be a media type or its beginning, in lower case, such as image/ or application/json.";
            }
        }

        foreach (var error in task.Options.SelectMany(option => ErrorsOfOption($"{key}:Options:{option.Key}", option.Key, option.Value)))
        {
            yield return error;
        }
    }

    private static IEnumerable<string> ErrorsOfOption(string key, string name, OptionSettings option)
    {
        if (!OptionName().IsMatch(name))
        {
            yield return $"{key} is not a valid name of an option: it has 1 to 64 letters, digits, hyphens and underscores, and begins with a letter.";
        }

        if (!IsTitle(option.Title))
        {
            yield return TitleError(key);
        }

        if (!OptionTypes.All.Contains(option.Type, StringComparer.Ordinal))
        {
            yield return $"{key}:Type must be one of {string.Join(", ", OptionTypes.All)}.";
        }
        else if (option.Values.Length > 0 && option.Type != OptionTypes.Text)
        {
            yield return $"{key}:Values is only for the type {OptionTypes.Text}.";
        }
        else if ((option.Min ?? option.Max) is not null && !OptionTypes.IsNumeric(option.Type))
        {
            yield return $"{key}:Min and Max are only for the types {OptionTypes.Whole} and {OptionTypes.Number}.";
        }
        else if (option.Min > option.Max)
        {
            yield return $"{key}:Max must not be below Min.";
        }
    }

    private static bool IsTitle(string? title) => title is null || (title.Length <= MaxTitleLength && !string.IsNullOrWhiteSpace(title));

    private static string TitleError(string key) => $"{key}:Title must have 1 to {MaxTitleLength} characters and must not be blank.";

    // RFC 9110, section 8.3.1: a type, and a subtype or nothing.
    [GeneratedRegex(@"\A[a-z0-9!#$%&'*+.^_`|~-]+/[a-z0-9!#$%&'*+.^_`|~-]*\z", RegexOptions.CultureInvariant)]
    private static partial Regex MediaType();

    [GeneratedRegex(@"\A[A-Za-z][A-Za-z0-9_-]{0,63}\z", RegexOptions.CultureInvariant)]
    private static partial Regex OptionName();
}
