namespace StatusUpdates.Api.Errors;

/// <summary>Metadata of an endpoint that writes some problems in its own format, because its clients do not read status codes.</summary>
internal interface IProblemFormat
{
    /// <summary>Writes the problem, if this format covers it.</summary>
    /// <param name="context">The request; the response has not started.</param>
    /// <param name="problem">What went wrong.</param>
    /// <returns>The write; null if the caller must write the problem in the default format.</returns>
    Task? TryWrite(HttpContext context, Problem problem);
}
