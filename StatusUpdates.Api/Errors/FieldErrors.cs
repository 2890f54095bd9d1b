namespace StatusUpdates.Api.Errors;

/// <summary>Validation errors by field. Names are those on the wire: a JSON member, a query parameter or a header.</summary>
internal sealed class FieldErrors
{
    private readonly List<(string Field, string Message)> _errors = [];

    public bool IsEmpty => _errors.Count == 0;

    public void Add(string field, string message) => _errors.Add((field, message));

    public Dictionary<string, string[]> ToDictionary() => _errors
        .GroupBy(error => error.Field, error => error.Message, StringComparer.Ordinal)
        .ToDictionary(messages => messages.Key, messages => messages.ToArray(), StringComparer.Ordinal);
}
