using System.Buffers.Binary;
using SkiaSharp;

namespace StatusUpdates.Tests.ResultStore;

/// <summary>
/// A WebM video (https://www.matroska.org/technical/elements.html) that a browser plays and seeks in: VP8, every frame a key frame, taken from a lossy
/// WebP image, whose <c>VP8 </c> chunk is one (RFC 9649, section 2.5). Each frame is one colour with noise, which makes it large.
/// </summary>
internal static class WebMVideo
{
    public const int Width = 640;
    public const int Height = 360;

    /// <summary>Creates a video.</summary>
    /// <param name="seconds">Its length.</param>
    /// <param name="framesPerSecond">The number of frames of each second.</param>
    /// <param name="redOf">How red the frame at a second is: the middle of its noise.</param>
    public static byte[] Create(int seconds, int framesPerSecond, Func<int, byte> redOf)
    {
        var info = Element(0x1549A966, Unsigned(0x2AD7B1, 1_000_000), Double(0x4489, seconds * 1000), Text(0x4D80, "test"), Text(0x5741, "test"));
        var track = Element(
            0xAE, Unsigned(0xD7, 1), Unsigned(0x73C5, 1), Unsigned(0x83, 1), Text(0x86, "V_VP8"), Element(0xE0, Unsigned(0xB0, Width), Unsigned(0xBA, Height)));
        byte[] head = [.. info, .. Element(0x1654AE6B, track)];

        // The cues stand before the clusters, and say where each is: their size does not depend on what they say.
        var clusters = Enumerable.Range(0, seconds).Select(second => Cluster(second, framesPerSecond, redOf(second))).ToArray();
        var cues = Cues(clusters, head.Length + Cues(clusters, 0).Length);
        var header = Element(0x1A45DFA3, Unsigned(0x4286, 1), Unsigned(0x42F7, 1), Unsigned(0x42F2, 4), Unsigned(0x42F3, 8), Text(0x4282, "webm"), Unsigned(0x4287, 2), Unsigned(0x4285, 2));
        return [.. header, .. Element(0x18538067, [head, cues, .. clusters])];
    }

    private static byte[] Cues(byte[][] clusters, int start)
    {
        var points = new List<byte[]>();
        var position = start;
        for (var second = 0; second < clusters.Length; position += clusters[second++].Length)
        {
            points.Add(Element(0xBB, Fixed(0xB3, second * 1000), Element(0xB7, Fixed(0xF7, 1), Fixed(0xF1, position))));
        }

        return Element(0x1C53BB6B, [.. points]);
    }

    private static byte[] Cluster(int second, int frames, byte red)
    {
        var blocks = Enumerable.Range(0, frames).Select(frame =>
        {
            byte[] head = [0x81, 0, 0, 0x80]; // track 1, time in the cluster, key frame
            BinaryPrimitives.WriteInt16BigEndian(head.AsSpan(1), (short)(frame * 1000 / frames));
            return Element(0xA3, head, Frame((second * frames) + frame, red));
        });
        return Element(0x1F43B675, [Fixed(0xE7, second * 1000), .. blocks]);
    }

    private static byte[] Frame(int seed, byte red)
    {
        using var bitmap = new SKBitmap(Width, Height, SKColorType.Rgba8888, SKAlphaType.Opaque);
        var random = new Random(seed);
        var pixels = bitmap.GetPixelSpan();
        for (var i = 0; i < pixels.Length; i += 4)
        {
            (pixels[i], pixels[i + 1], pixels[i + 2], pixels[i + 3]) = ((byte)Math.Clamp(red + random.Next(-30, 31), 0, 255), (byte)random.Next(60), 0, 255);
        }

        using var webp = bitmap.Encode(SKEncodedImageFormat.Webp, 90);
        var bytes = webp.AsSpan();
        for (var at = 12; at < bytes.Length;)
        {
            var size = (int)BinaryPrimitives.ReadUInt32LittleEndian(bytes[(at + 4)..]);
            if (bytes.Slice(at, 4).SequenceEqual("VP8 "u8))
            {
                return bytes.Slice(at + 8, size).ToArray();
            }

            at += 8 + size + (size & 1);
        }

        throw new InvalidOperationException("The image has no VP8 chunk.");
    }

    private static byte[] Unsigned(uint id, long value) => Element(id, value < 256 ? [(byte)value] : Big(value));

    private static byte[] Fixed(uint id, long value) => Element(id, Big(value));

    private static byte[] Text(uint id, string text) => Element(id, System.Text.Encoding.ASCII.GetBytes(text));

    private static byte[] Double(uint id, double value) => Element(id, Big(BitConverter.DoubleToInt64Bits(value)));

    private static byte[] Big(long value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        return bytes;
    }

    // The id as it is written, the length in eight bytes, the content.
    private static byte[] Element(uint id, params byte[][] content)
    {
        var name = Big(id).SkipWhile(digit => digit == 0);
        var length = Big(content.Sum(part => (long)part.Length) | 0x0100_0000_0000_0000);
        return [.. name, .. length, .. content.SelectMany(part => part)];
    }
}
