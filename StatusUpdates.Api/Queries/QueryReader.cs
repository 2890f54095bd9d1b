using Microsoft.Extensions.Primitives;
using Microsoft.OpenApi;
using StatusUpdates.Api.Errors;

namespace StatusUpdates.Api.Queries;

/// <summary>
/// Reads parameters strictly: each at most once, never empty, always in its range; errors are added under the parameter's name.
/// Unknown parameters are ignored.
/// </summary>
internal sealed class QueryReader(HttpRequest request)
{
    public FieldErrors Errors { get; } = new();

    public bool Has(Parameter parameter) => TextsOf(parameter).Count > 0;

    /// <summary>The parameter's value; if it is invalid, that of an absent one, after adding an error.</summary>
    public T Read<T>(Parameter<T> parameter)
    {
        var texts = TextsOf(parameter);
        if (texts is [{ Length: > 0 } text])
        {
            if (parameter.Parse(text, out var value))
            {
                return value;
            }

            Errors.Add(parameter.Name, parameter.Expected);
        }
        else if (texts.Count > 0)
        {
            Errors.Add(parameter.Name, texts.Count == 1 ? "Must not be empty." : "Must be given once.");
        }

        return parameter.Absent;
    }

    private StringValues TextsOf(Parameter parameter) =>
        parameter.In == ParameterLocation.Header ? request.Headers[parameter.Name] : request.Query[parameter.Name];
}
