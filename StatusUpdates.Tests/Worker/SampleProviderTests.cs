using System.Text;
using SkiaSharp;
using StatusUpdates.Data.Schema;
using StatusUpdates.Messaging;
using StatusUpdates.SampleProviders.Providers;
using StatusUpdates.SampleProviders.Rendering;

namespace StatusUpdates.Tests.Worker;

public sealed class SampleProviderTests(TestServers servers)
{
    private const string Prompt = "A hand-thrown vase für Trockenblumen, матовая глазурь 🙂";

    [Theory]
    [InlineData("product_card", "image/png", SKEncodedImageFormat.Png)]
    [InlineData("image_generation", "image/png", SKEncodedImageFormat.Png)]
    [InlineData("sora", "image/webp", SKEncodedImageFormat.Webp)]
    public async Task Each_picture_is_a_file_of_its_type_that_decodes(string task, string contentType, SKEncodedImageFormat format)
    {
        var result = await RunAsync(task);

        Assert.Equal(contentType, result.ContentType);
        using var codec = SKCodec.Create(new MemoryStream(result.Bytes));
        Assert.Equal(format, codec.EncodedFormat);
        using var picture = SKBitmap.Decode(codec);
        Assert.True(picture.Pixels.Distinct().Count() > 100);
        Assert.InRange(result.Bytes.Length, 10_000, 2 * 1024 * 1024);
    }

    [Fact]
    public async Task A_chat_answer_is_text_about_the_prompt()
    {
        var result = await RunAsync("chat_processing");

        Assert.Equal("text/plain; charset=utf-8", result.ContentType);
        Assert.Contains(Prompt, new UTF8Encoding(false, true).GetString(result.Bytes), StringComparison.Ordinal);
    }

    [Fact]
    public void A_video_moves_and_ends_where_it_began()
    {
        using var codec = SKCodec.Create(new MemoryStream(SeaLoopRenderer.Render(Prompt, 3, TestTime.Token)));

        Assert.Equal(SeaLoopRenderer.FrameCount, codec.FrameCount);
        Assert.Equal(-1, codec.RepetitionCount);
        var first = Frame(codec, 0);
        var step = Difference(first, Frame(codec, 1));
        var half = Difference(first, Frame(codec, SeaLoopRenderer.FrameCount / 2));
        var seam = Difference(first, Frame(codec, SeaLoopRenderer.FrameCount - 1));
        Assert.True(half > 2 * step, $"It hardly moves: {half} after half a loop, {step} after a frame.");
        Assert.InRange(seam, step / 3, step * 3);
    }

    [Fact]
    public void The_same_request_gives_the_same_picture_and_another_seed_a_different_one()
    {
        Assert.Equal(ProductCardRenderer.Render(Prompt, 5), ProductCardRenderer.Render(Prompt, 5));
        Assert.NotEqual(ProductCardRenderer.Render(Prompt, 5), ProductCardRenderer.Render(Prompt, 6));
        Assert.Equal(Flow(5), Flow(5));
        Assert.NotEqual(Flow(5), Flow(6));

        static byte[] Flow(ulong seed) => FlowFieldRenderer.Render(seed, TestTime.Token);
    }

    [Fact]
    public void A_card_shows_its_title_in_a_font_that_need_not_be_installed_on_the_machine()
    {
        Assert.Equal("Manrope", Typography.Bold.FamilyName, StringComparer.Ordinal);
        Assert.All("Vase Ваза Αγγείο für 0123".EnumerateRunes(), r => Assert.True(Typography.Medium.ContainsGlyph(r.Value)));

        // The two cards differ where the title is, and the halves without text do not.
        using var one = SKBitmap.Decode(ProductCardRenderer.Render("Ваза", 5));
        using var two = SKBitmap.Decode(ProductCardRenderer.Render("Vase", 5));
        Assert.True(Differs(one, two, new SKRectI(64, 840, 500, 940)));
        Assert.False(Differs(one, two, new SKRectI(0, 0, 900, 800)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("   \n\t ")]
    [InlineData("Product card:")]
    [InlineData("🙂🙂🙂")]
    [InlineData("\u200b\u0301\ufffd\u202e")]
    [InlineData("wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww")]
    public void Every_prompt_can_be_drawn_and_answered(string prompt)
    {
        Assert.NotEmpty(ProductCardRenderer.Render(prompt, 1));
        Assert.NotEmpty(ChatAnswer.Compose(prompt));
        Assert.All(Typography.Wrap(Typography.OneLine(prompt), Typography.Bold, 46, 772, 3), line =>
            Assert.True(Typography.Measure(line, Typography.Bold, 46) <= 772));
    }

    private async Task<StoredResult> RunAsync(string task)
    {
        await using var scene = await WorkerScene.CreateAsync(servers);
        await using var worker = await TestWorker.StartAsync(scene.Database, scene.Redis);
        var update = await scene.WaitForAsync(await scene.SubmitAsync(task, Prompt), GenerationStatus.Completed);
        var url = Assert.Single(update.Metadata!.ResultUrls!);
        Assert.StartsWith("http://localhost:5080/results/", url, StringComparison.Ordinal);
        return (await scene.Database.Results.FindAsync(url[^32..], TestTime.Token))!;
    }

    private static SKColor[] Frame(SKCodec codec, int index)
    {
        using var bitmap = new SKBitmap(codec.Info);
        Assert.Equal(SKCodecResult.Success, codec.GetPixels(codec.Info, bitmap.GetPixels(), new SKCodecOptions(index)));
        return bitmap.Pixels;
    }

    private static double Difference(SKColor[] a, SKColor[] b) =>
        a.Zip(b, (p, q) => Math.Abs(p.Red - q.Red) + Math.Abs(p.Green - q.Green) + Math.Abs(p.Blue - q.Blue)).Average();

    private static bool Differs(SKBitmap a, SKBitmap b, SKRectI area)
    {
        for (var y = area.Top; y < area.Bottom; y++)
        {
            for (var x = area.Left; x < area.Right; x++)
            {
                if (a.GetPixel(x, y) != b.GetPixel(x, y))
                {
                    return true;
                }
            }
        }

        return false;
    }
}
