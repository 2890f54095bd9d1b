using System.Security.Cryptography;
using System.Text;

namespace StatusUpdates.LocalHosting.Hosting;

/// <summary>A value that the model needs from outside, or generates.</summary>
public sealed class ParameterResource : Resource
{
    private string? _value;

    internal ParameterResource(string name, ParameterDefault @default, bool secret, bool persist)
        : base(name)
    {
        Default = @default;
        Secret = secret;
        Persist = persist;
    }

    /// <summary>Where the value comes from if configuration does not give it.</summary>
    public ParameterDefault Default { get; }

    /// <summary>Whether the value must not be shown.</summary>
    public bool Secret { get; }

    /// <summary>Whether a generated value is kept for the next run.</summary>
    internal bool Persist { get; }

    /// <summary>Set by the engine before anything starts.</summary>
    internal string Value
    {
        get => _value ?? throw new InvalidOperationException($"Parameter '{Name}' has no value before the application starts.");
        set => _value = value;
    }
}

/// <summary>How a parameter's value is made.</summary>
public abstract class ParameterDefault
{
    public abstract string GetDefaultValue();
}

/// <summary>A random value of letters, digits and special characters.</summary>
public sealed class GenerateParameterDefault : ParameterDefault
{
    // Without letters that are easily taken for another.
    private const string LowerCase = "abcdefghjkmnpqrstuvwxyz";
    private const string UpperCase = "ABCDEFGHJKMNPQRSTUVWXYZ";
    private const string Digits = "0123456789";
    private const string SpecialCharacters = "-_.{}~()*+!";

    /// <summary>The value's length.</summary>
    public int MinLength { get; set; } = 22;

    /// <summary>Whether characters other than letters and digits may occur.</summary>
    public bool Special { get; set; } = true;

    public override string GetDefaultValue()
    {
        var alphabet = new StringBuilder(LowerCase).Append(UpperCase).Append(Digits).Append(Special ? SpecialCharacters : "").ToString();
        return RandomNumberGenerator.GetString(alphabet, MinLength);
    }
}
