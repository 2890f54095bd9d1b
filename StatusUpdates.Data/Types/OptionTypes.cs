namespace StatusUpdates.Data.Types;

/// <summary>The JSON types of options' values.</summary>
public static class OptionTypes
{
    /// <summary>A text.</summary>
    public const string Text = "string";

    /// <summary>A number without a fraction, between -2^63 and 2^63 - 1.</summary>
    public const string Whole = "integer";

    /// <summary>Any number.</summary>
    public const string Number = "number";

    /// <summary>True or false.</summary>
    public const string Flag = "boolean";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Text, Whole, Number, Flag];

    /// <summary>Whether values of this type have limits.</summary>
    public static bool IsNumeric(string type) => type is Whole or Number;
}
