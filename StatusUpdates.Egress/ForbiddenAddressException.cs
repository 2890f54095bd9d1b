namespace StatusUpdates.Egress;

/// <summary>
/// A host has an address that may not be connected to; nothing was sent. The message may be shown to the user who named the host: it reveals
/// neither the address nor what is there.
/// </summary>
public sealed class ForbiddenAddressException() : Exception(Text)
{
    /// <summary>The message.</summary>
    public const string Text = "Must not point to a loopback, private or otherwise reserved address.";
}
