namespace StatusUpdates.Data.Types;

/// <summary>A type of generations: what a user asks for. Immutable.</summary>
public sealed record RegisteredType
{
    /// <summary>Its name, on the wire and in the database.</summary>
    public required string Name { get; init; }

    /// <summary>What people read instead of its name.</summary>
    public required string Title { get; init; }

    /// <summary>The name of the task of a submission that names none.</summary>
    public string DefaultTask => Tasks[0].Name;

    /// <summary>Its tasks, the default first; at least one.</summary>
    public required IReadOnlyList<RegisteredTask> Tasks { get; init; }

    /// <summary>The task with this name; null if it is not one of this type.</summary>
    public RegisteredTask? FindTask(string name) => Tasks.FirstOrDefault(task => task.Name == name);
}

/// <summary>A task of a type: one kind of work, done by one provider. Immutable.</summary>
public sealed record RegisteredTask
{
    /// <summary>Its name, on the wire and in the database. No other type has a task with this name.</summary>
    public required string Name { get; init; }

    /// <summary>What people read instead of its name.</summary>
    public required string Title { get; init; }

    /// <summary>How the media types of its results begin, such as <c>image/</c>; null if any media type is accepted.</summary>
    public IReadOnlyList<string>? Makes { get; init; }

    /// <summary>Whether content of this media type is a valid result.</summary>
    public bool Accepts(string contentType) => Makes?.Any(kind => contentType.StartsWith(kind, StringComparison.OrdinalIgnoreCase)) ?? true;

    /// <summary>What it makes, for people, such as <c>video/* or image/*</c>.</summary>
    public string DescribeResults() => Makes is null ? "any media type" : string.Join(" or ", Makes.Select(kind => kind.EndsWith('/') ? kind + "*" : kind));

    /// <summary>The only options that it takes; null if any are accepted, for its provider to understand.</summary>
    public IReadOnlyList<TaskOption>? Options { get; init; }
}

/// <summary>An option of a task. Immutable.</summary>
public sealed record TaskOption
{
    /// <summary>The member of a submission's <c>options</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What people read instead of its name.</summary>
    public required string Title { get; init; }

    /// <summary>The JSON type of its value: one of <see cref="OptionTypes"/>.</summary>
    public required string Type { get; init; }

    /// <summary>The only values accepted; null for any. Only for strings.</summary>
    public IReadOnlyList<string>? Values { get; init; }

    /// <summary>The least value; null for no limit. Only for numbers.</summary>
    public double? Min { get; init; }

    /// <summary>The greatest value; null for no limit. Only for numbers.</summary>
    public double? Max { get; init; }

    /// <summary>Whether a submission must have it.</summary>
    public bool Required { get; init; }
}
