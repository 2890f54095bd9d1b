using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace StatusUpdates.Data.Database;

/// <summary>
/// Random codes that can be used once (tickets, link codes), in URL-safe characters. Only hashes are stored: whoever can read the database, or a
/// backup of it, cannot use them.
/// </summary>
public static class SingleUseCode
{
    /// <summary>The length, in characters.</summary>
    public const int Length = 43;

    // 256 bits; RFC 6749, section 10.10, requires 160 for what must not be guessed.
    private const int SecretBytes = 32;

    /// <summary>A new code.</summary>
    public static string Create() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));

    /// <summary>Whether the text has the form of a code.</summary>
    public static bool IsWellFormed(string text) => text.Length == Length && Base64Url.IsValid(text);

    /// <summary>
    /// The hash to store: of the text, not of the decoded bytes, because several texts can decode to the same bytes. A random code needs no salt.
    /// </summary>
    public static byte[] HashOf(string text) => SHA256.HashData(Encoding.ASCII.GetBytes(text));
}
