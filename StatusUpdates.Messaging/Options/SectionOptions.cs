using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using StatusUpdates.Messaging.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>
/// Options that are bound to a configuration section and validated at start. A setting is a property with a public setter. A property with an
/// internal setter is a constant that no configuration key sets; only tests change it.
/// </summary>
public static class SectionOptions
{
    /// <summary>
    /// Binds <typeparamref name="TOptions"/> to a section and validates it at start. An error names the configuration key and the allowed range; the
    /// generated validators know only the names of types and members. A key of the section that is not a setting is an error too, so a section is
    /// bound by one class.
    /// </summary>
    /// <typeparam name="TOptions">The options, with defaults in code.</typeparam>
    /// <typeparam name="TValidator">Its <c>[OptionsValidator]</c>.</typeparam>
    public static OptionsBuilder<TOptions> AddSectionOptions<TOptions, TValidator>(this IServiceCollection services, string section)
        where TOptions : class
        where TValidator : class, IValidateOptions<TOptions>, new() =>
        Add(services, section, new TValidator());

    /// <summary>Like the other overload, for options without validation attributes; they may be <see cref="IValidatableObject"/>.</summary>
    public static OptionsBuilder<TOptions> AddSectionOptions<TOptions>(this IServiceCollection services, string section)
        where TOptions : class =>
        Add<TOptions>(services, section, null);

    /// <summary>Makes every key of sections that once had settings an error: it would be ignored otherwise.</summary>
    public static void AddRetiredSections(this IServiceCollection services, params string[] sections)
    {
        foreach (var section in sections)
        {
            Add<NoSettings>(services, section, null);
        }
    }

    /// <summary>An error for each invalid entry of a setting that is a list. It names the entry's configuration key.</summary>
    /// <param name="key">The setting's key.</param>
    /// <param name="entries">Its entries.</param>
    /// <param name="isValid">Whether an entry is valid.</param>
    /// <param name="expected">What an entry must be, as the end of a sentence.</param>
    public static IEnumerable<ValidationResult> InvalidEntries(string key, string[] entries, Predicate<string> isValid, string expected) =>
        from index in Enumerable.Range(0, entries.Length)
        where !isValid(entries[index])
        select new ValidationResult($"{key}:{index} must be {expected}");

    private static OptionsBuilder<TOptions> Add<TOptions>(IServiceCollection services, string section, IValidateOptions<TOptions>? rules)
        where TOptions : class
    {
        services.AddSingleton<IValidateOptions<TOptions>>(new SectionValidator<TOptions>(rules, section));
        return services.AddOptions<TOptions>()
            .Configure<IConfiguration>((_, configuration) => RefuseUnknownKeys<TOptions>(configuration.GetSection(section)))
            .BindConfiguration(section)
            .ValidateOnStart();
    }

    // Before they are bound: a key that has become a constant may have a value that cannot even be converted.
    private static void RefuseUnknownKeys<TOptions>(IConfigurationSection section)
    {
        if (SettingKeys.Unknown(section, typeof(TOptions)).ToArray() is { Length: > 0 } failures)
        {
            throw new OptionsValidationException(section.Path, typeof(TOptions), failures);
        }
    }

    private sealed class NoSettings;

    private sealed class SectionValidator<TOptions>(IValidateOptions<TOptions>? rules, string section) : IValidateOptions<TOptions>
        where TOptions : class
    {
        // Generated: "Burst: The field <name>.User.Burst must be between 1 and 10."
        private readonly Regex _member = new($@"^\w+: The field (?<path>{Regex.Escape(section)}(?:\.\w+)+)", RegexOptions.CultureInvariant);

        // Generated: "Token: Telegram:Token must be …", if the attribute has a message of our own.
        private readonly Regex _prefix = new($@"^\w+: (?={Regex.Escape(section)}:)", RegexOptions.CultureInvariant);

        public ValidateOptionsResult Validate(string? name, TOptions options)
        {
            string[] failures = [.. Failures(options).Select(NameKey)];
            return failures.Length > 0 ? ValidateOptionsResult.Fail(failures) : ValidateOptionsResult.Success;
        }

        private IEnumerable<string> Failures(TOptions options) =>
            rules is not null ? rules.Validate(section, options).Failures ?? []
            : options is IValidatableObject validatable ? validatable.Validate(new ValidationContext(options)).Select(result => result.ErrorMessage!)
            : [];

        private string NameKey(string failure) =>
            _prefix.Replace(_member.Replace(failure, match => match.Groups["path"].Value.Replace('.', ':')), "");
    }
}
