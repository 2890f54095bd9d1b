using System.Security.Cryptography;
using System.Text;

namespace StatusUpdates.Api.Workers;

/// <summary>
/// The ids of workers' updates in the log. A worker chooses an id for a call, so that a repeat is recognised. The id in the log is derived from it
/// and from what the call is: so one that is used again for another call, by mistake or by another worker, is another id, and never takes a
/// different update for its own.
/// </summary>
internal static class UpdateIds
{
    // The time at the beginning of a UUIDv7 (RFC 9562, section 5.7) is kept: the index of ids grows at its end.
    private const int TimeBytes = 6;

    public static Guid Of(Guid? chosen, string call, string generationId, string owner, int attempt)
    {
        if (chosen is not { } id)
        {
            return Guid.CreateVersion7();
        }

        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{id}\n{call}\n{attempt}\n{generationId}\n{owner}"));
        hash.AsSpan(0, 16 - TimeBytes).CopyTo(bytes[TimeBytes..]);
        if (id.Version != 7)
        {
            hash.AsSpan(16 - TimeBytes, TimeBytes).CopyTo(bytes);
        }

        // Version 8: of a form of our own.
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}
