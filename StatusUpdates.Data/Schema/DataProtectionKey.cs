namespace StatusUpdates.Data.Schema;

/// <summary>A key of ASP.NET Core Data Protection, which encrypts the signing keys of webhooks.</summary>
public sealed class DataProtectionKey
{
    /// <summary>The order in which keys were stored.</summary>
    public int Id { get; init; }

    /// <summary>The library's name for it.</summary>
    public string? FriendlyName { get; init; }

    /// <summary>The key, as the library's XML.</summary>
    public string? Xml { get; init; }
}
