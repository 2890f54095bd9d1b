namespace StatusUpdates.Egress;

/// <summary>A URL has a port that may not be connected to; nothing was sent.</summary>
public sealed class ForbiddenPortException(string allowed) : Exception(TextOf(allowed))
{
    /// <summary>What is wrong, for the user who named the port.</summary>
    public static string TextOf(string allowed) => $"Must have one of the allowed ports: {allowed}.";
}
