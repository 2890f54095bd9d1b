using System.Buffers.Binary;

namespace StatusUpdates.SampleProviders.Rendering;

/// <summary>
/// Joins still WebP images into an endless animation, following the WebP container specification (RFC 9649, section 2): a RIFF file of a
/// <c>VP8X</c> header, <c>ANIM</c>, and an <c>ANMF</c> chunk for each frame. Not thread-safe.
/// </summary>
internal sealed class AnimatedWebP : IDisposable
{
    private const byte HasAnimation = 0x02;
    private const byte DoNotBlend = 0x02;
    private const int RiffHeader = 12;

    private readonly MemoryStream _file = new();
    private readonly int _width;
    private readonly int _height;

    public AnimatedWebP(int width, int height)
    {
        (_width, _height) = (width, height);
        _file.Write("RIFF\0\0\0\0WEBP"u8);

        Span<byte> header = stackalloc byte[10];
        header.Clear();
        header[0] = HasAnimation;
        WriteInt24(header[4..], width - 1);
        WriteInt24(header[7..], height - 1);
        WriteChunk("VP8X"u8, header);

        // Background color (unused) and loop count: 0 is endless.
        WriteChunk("ANIM"u8, stackalloc byte[6]);
    }

    /// <summary>Adds a frame: a still, opaque WebP file that fills the canvas.</summary>
    public void AddFrame(ReadOnlySpan<byte> webp, TimeSpan duration)
    {
        // The image itself is what follows the still file's RIFF header: one chunk, VP8 or VP8L.
        var image = webp[RiffHeader..];
        var chunk = new byte[16 + image.Length];
        WriteInt24(chunk.AsSpan(6), _width - 1);
        WriteInt24(chunk.AsSpan(9), _height - 1);
        WriteInt24(chunk.AsSpan(12), (int)duration.TotalMilliseconds);
        chunk[15] = DoNotBlend;
        image.CopyTo(chunk.AsSpan(16));
        WriteChunk("ANMF"u8, chunk);
    }

    /// <summary>The whole file.</summary>
    public byte[] ToArray()
    {
        var bytes = _file.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), bytes.Length - 8);
        return bytes;
    }

    public void Dispose() => _file.Dispose();

    private void WriteChunk(ReadOnlySpan<byte> name, ReadOnlySpan<byte> payload)
    {
        Span<byte> size = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(size, payload.Length);
        _file.Write(name);
        _file.Write(size);
        _file.Write(payload);
        if (payload.Length % 2 == 1)
        {
            _file.WriteByte(0);
        }
    }

    private static void WriteInt24(Span<byte> to, int value)
    {
        to[0] = (byte)value;
        to[1] = (byte)(value >> 8);
        to[2] = (byte)(value >> 16);
    }
}
