using System.ComponentModel.DataAnnotations;

namespace StatusUpdates.Data.Types;

/// <summary>
/// The types of generations that users can submit, and their tasks. API and workers must have the same. Names of types and tasks have 1 to 64 lower-case
/// letters, digits and underscores, and begin with a letter. Read by API and worker.
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
    /// <summary>What people read instead of the name.</summary>
    /// <value>the name</value>
    public string? Title { get; set; }

    /// <summary>The task of a submission that names none.</summary>
    /// <value>the only task; required if there are several</value>
    public string? DefaultTask { get; set; }

    /// <summary>A task: work that one provider does. A task belongs to one type only.</summary>
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
    /// <summary>What people read instead of the name.</summary>
    /// <value>the name</value>
    public string? Title { get; set; }

    /// <summary>The media types of its results, or how they begin: <c>image/</c>, <c>application/json</c>. Other results fail the generation.</summary>
    /// <value>any</value>
    public string[] Makes { get; set; } = [];

    /// <summary>An option that it takes. If none is listed, any are accepted, and passed to its provider unchecked.</summary>
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
    /// <summary>What people read instead of the name.</summary>
    /// <value>the name</value>
    public string? Title { get; set; }

    /// <summary>The JSON type of its value: <c>string</c>, <c>integer</c>, <c>number</c> or <c>boolean</c>.</summary>
    public string Type { get; set; } = OptionTypes.Text;

    /// <summary>The values accepted, if it is a string.</summary>
    /// <value>any</value>
    public string[] Values { get; set; } = [];

    /// <summary>The least value, if it is a number.</summary>
    public double? Min { get; set; }

    /// <summary>The greatest value, if it is a number.</summary>
    public double? Max { get; set; }

    /// <summary>Whether a submission must have it.</summary>
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
