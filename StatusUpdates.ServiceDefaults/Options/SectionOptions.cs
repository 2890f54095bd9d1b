using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Options of a configuration section that are checked at start.</summary>
public static class SectionOptions
{
    /// <summary>
    /// Binds <typeparamref name="TOptions"/> to a section and validates it at start. A failure names the key as it is configured, and the
    /// allowed range: the validators that the options generator makes know only the names of types and members.
    /// </summary>
    /// <typeparam name="TOptions">The options, with defaults in code.</typeparam>
    /// <typeparam name="TValidator">Its <c>[OptionsValidator]</c>.</typeparam>
    public static OptionsBuilder<TOptions> AddSectionOptions<TOptions, TValidator>(this IServiceCollection services, string section)
        where TOptions : class
        where TValidator : class, IValidateOptions<TOptions>, new()
    {
        services.AddSingleton<IValidateOptions<TOptions>>(new KeyNamingValidator<TOptions>(new TValidator(), section));
        return services.AddOptions<TOptions>().BindConfiguration(section).ValidateOnStart();
    }

    private sealed class KeyNamingValidator<TOptions>(IValidateOptions<TOptions> inner, string section) : IValidateOptions<TOptions>
        where TOptions : class
    {
        // Generated: "Burst: The field <name>.User.Burst must be between 1 and 10."
        private readonly Regex _member = new($@"^\w+: The field (?<path>{Regex.Escape(section)}(?:\.\w+)+)", RegexOptions.CultureInvariant);

        // Generated: "Token: Telegram:Token must be …", where the message is one of our own.
        private readonly Regex _prefix = new($@"^\w+: (?={Regex.Escape(section)}:)", RegexOptions.CultureInvariant);

        public ValidateOptionsResult Validate(string? name, TOptions options)
        {
            var result = inner.Validate(section, options);
            return result.Failed
                ? ValidateOptionsResult.Fail(result.Failures.Select(failure => _prefix.Replace(
                    _member.Replace(failure, match => match.Groups["path"].Value.Replace('.', ':')), "")))
                : result;
        }
    }
}
