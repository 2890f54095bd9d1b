using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace StatusUpdates.Data.Database;

/// <summary>
/// The texts of what is used once (tickets, link codes): random, of URL-safe characters. Only hashes are stored, so that who can read the
/// database, or a backup of it, can use nothing.
/// </summary>
internal static class SingleUseText
{
    /// <summary>Characters of each.</summary>
    public const int Length = 43;

    // 256 bits; RFC 6749, section 10.10, asks for 160 of what must not be guessed.
    private const int SecretBytes = 32;

    /// <summary>A new one.</summary>
    public static string Create() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));

    /// <summary>Whether it can be one at all.</summary>
    public static bool IsPossible(string text) => text.Length == Length && Base64Url.IsValid(text);

    /// <summary>
    /// What is stored of it. Of the text, not of the bytes behind it: several texts can stand for the same bytes. Random as it is, it needs
    /// no salt.
    /// </summary>
    public static byte[] HashOf(string text) => SHA256.HashData(Encoding.ASCII.GetBytes(text));
}
