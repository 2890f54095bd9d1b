using System.ComponentModel.DataAnnotations;

namespace StatusUpdates.Data.Types;

/// <summary>
/// The types of generations that users can submit. Each has one or more tasks, and a task belongs to one type; the names of both have 1 to 64 lower-case
/// letters, digits and underscores, and begin with a letter. A task takes the options that it lists; if it lists none, it takes any, and they reach its
/// provider unchecked. Read by API and worker, which must have the same.
/// </summary>
internal sealed class TypesOptions : IValidatableObject
{
    public const string SectionName = "Generations";

    /// <summary>Whether <c>product_card</c>, <c>sora</c> and <c>chat</c> are registered too. A type with one of these names replaces it in any case.</summary>
    public bool DefaultTypes { get; set; } = true;

    public Dictionary<string, TypeSettings> Types { get; set; } = new(StringComparer.Ordinal);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => TypesValidation.ErrorsOf(this).Select(error => new ValidationResult(error));

    /// <summary>The registry, if there are no errors.</summary>
    public GenerationTypes ToRegistry() => new(
        [
            .. GenerationTypes.Default.All.Where(type => DefaultTypes && !Types.ContainsKey(type.Name)),
            .. Types.OrderBy(type => type.Key, StringComparer.Ordinal).Select(type => type.Value.ToType(type.Key)),
        ]);
}

/// <summary>A type of generations.</summary>
internal sealed class TypeSettings
{
    /// <summary>What people read instead of the type's name.</summary>
    /// <value>the name</value>
    public string? Title { get; set; }

    /// <summary>The task of a submission that names none.</summary>
    /// <value>the only task; required if there are several</value>
    public string? DefaultTask { get; set; }

    public Dictionary<string, TaskSettings> Tasks { get; set; } = new(StringComparer.Ordinal);

    public RegisteredType ToType(string name) => new()
    {
        Name = name,
        Title = Title ?? name,
        Tasks =
        [
            .. Tasks.OrderBy(task => task.Key != DefaultTask).ThenBy(task => task.Key, StringComparer.Ordinal).Select(task => task.Value.ToTask(task.Key)),
        ],
    };
}

/// <summary>A task of a type.</summary>
internal sealed class TaskSettings
{
    /// <summary>What people read instead of the task's name.</summary>
    /// <value>the name</value>
    public string? Title { get; set; }

    /// <summary>The media types of the task's results, or how they begin: <c>image/</c>, <c>application/json</c>. Other results fail the generation.</summary>
    /// <value>any</value>
    public string[] Makes { get; set; } = [];

    public Dictionary<string, OptionSettings> Options { get; set; } = new(StringComparer.Ordinal);

    public RegisteredTask ToTask(string name) => new()
    {
        Name = name,
        Title = Title ?? name,
        Makes = Makes.Length == 0 ? null : Makes,
        Options = Options.Count == 0 ? null : [.. Options.OrderBy(option => option.Key, StringComparer.Ordinal).Select(option => option.Value.ToOption(option.Key))],
    };
}

/// <summary>An option of a task.</summary>
internal sealed class OptionSettings
{
    /// <summary>What people read instead of the option's name.</summary>
    /// <value>the name</value>
    public string? Title { get; set; }

    /// <summary>The JSON type of the option's value: <c>string</c>, <c>integer</c>, <c>number</c> or <c>boolean</c>.</summary>
    public string Type { get; set; } = OptionTypes.Text;

    /// <summary>The values accepted, if the option is a string.</summary>
    /// <value>any</value>
    public string[] Values { get; set; } = [];

    /// <summary>The least value, if the option is a number.</summary>
    public double? Min { get; set; }

    /// <summary>The greatest value, if the option is a number.</summary>
    public double? Max { get; set; }

    /// <summary>Whether a submission must have the option.</summary>
    public bool Required { get; set; }

    public TaskOption ToOption(string name) => new()
    {
        Name = name,
        Title = Title ?? name,
        Type = Type,
        Values = Values.Length == 0 ? null : Values,
        Min = Min,
        Max = Max,
        Required = Required,
    };
}
