namespace StatusUpdates.Api.Errors;

/// <summary>Metadata of an endpoint that tells some problems in its own format, because its clients read no statuses.</summary>
internal interface IProblemFormat
{
    /// <summary>Answers with the problem.</summary>
    /// <param name="context">The request; nothing of its answer has been sent.</param>
    /// <param name="problem">What went wrong.</param>
    /// <returns>The writing of the answer; null: this one is told as it is everywhere.</returns>
    Task? TryWrite(HttpContext context, Problem problem);
}
