using System.Net;
using StatusUpdates.Egress;
using StatusUpdates.Webhooks.Registration;

namespace StatusUpdates.Tests.Webhooks;

public sealed class WebhookUrlTests
{
    private static readonly AddressPolicy Public = new([], allowHttp: false);

    [Theory]
    [InlineData("https://127.0.0.1/")]
    [InlineData("https://127.1/")]
    [InlineData("https://127.0.1/")]
    [InlineData("https://2130706433/")]
    [InlineData("https://0x7f000001/")]
    [InlineData("https://0x7f.0.0.1/")]
    [InlineData("https://0X7F.0x0.0x0.0x1/")]
    [InlineData("https://017700000001/")]
    [InlineData("https://0177.0.0.1/")]
    [InlineData("https://0177.0.0.01/")]
    [InlineData("https://127.0.0.1./")]
    [InlineData("https://127.1./")]
    [InlineData("https://127.0.0.1../")]
    [InlineData("https://2130706433./")]
    [InlineData("https://0/")]
    [InlineData("https://0.0.0.0/")]
    [InlineData("https://%31%32%37.0.0.1/")]
    [InlineData("https://127%2e0%2e0%2e1/")]
    [InlineData("https://１２７.０.０.１/")]
    [InlineData("https://127。0。0。1/")]
    [InlineData("https://127．0．0．1/")]
    [InlineData("https://①②⑦.⓪.⓪.①/")]
    [InlineData("https://10.0.0.1:8443/hook")]
    [InlineData("https://169.254.169.254/latest/meta-data/")]
    [InlineData("https://0xa9fea9fe/latest/meta-data/")]
    [InlineData("https://192.168.1.1/")]
    [InlineData("https://[::1]/")]
    [InlineData("https://[::]/")]
    [InlineData("https://[0:0:0:0:0:0:0:1]/")]
    [InlineData("https://[::127.0.0.1]/")]
    [InlineData("https://[::ffff:127.0.0.1]/")]
    [InlineData("https://[::ffff:7f00:1]/")]
    [InlineData("https://[0:0:0:0:0:ffff:127.0.0.1]/")]
    [InlineData("https://[64:ff9b::127.0.0.1]/")]
    [InlineData("https://[fe80::1]/")]
    [InlineData("https://[fe80::1%25eth0]/")]
    [InlineData("https://[fe80::1%251]/")]
    [InlineData("https://[::1%251]/")]
    [InlineData("https://[2606:4700::1111%251]/")]
    [InlineData("https://[fd00::1]/")]
    [InlineData("https://[2002:7f00:1::]/")]
    [InlineData("https://localhost/")]
    [InlineData("https://LOCALHOST/")]
    [InlineData("https://localhost./")]
    [InlineData("https://hooks.localhost/")]
    [InlineData("https://ｌｏｃａｌｈｏｓｔ/")]
    public void A_host_that_is_not_a_public_address_is_refused_however_it_is_written(string text)
    {
        Assert.False(WebhookUrl.TryParse(text, Public, out var url, out var error));
        Assert.Null(url);
        Assert.NotEmpty(error);
    }

    [Theory]
    [InlineData("http://example.com/")]
    [InlineData("ftp://example.com/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("example.com/hook")]
    [InlineData("//example.com/hook")]
    [InlineData("/hook")]
    [InlineData("https:")]
    [InlineData("https://")]
    [InlineData("https:///")]
    [InlineData("https:///example.com/")]
    [InlineData("https:example.com/")]
    [InlineData("https:/example.com/")]
    [InlineData("https:\\\\example.com\\")]
    [InlineData("https://example.com\\@127.0.0.1/")]
    [InlineData("https://user@example.com/")]
    [InlineData("https://user:password@example.com/")]
    [InlineData("https://@example.com/")]
    [InlineData("https://:@example.com/")]
    [InlineData("https://example.com@127.0.0.1/")]
    [InlineData("https://example.com/#fragment")]
    [InlineData("https://example.com/#")]
    [InlineData(" https://example.com/")]
    [InlineData("https://example.com/ ")]
    [InlineData("https://exam ple.com/")]
    [InlineData("https://example.com/\n")]
    [InlineData("https://exa\tmple.com/")]
    [InlineData("https://example.com:0/")]
    [InlineData("https://example.com:65536/")]
    [InlineData("https://example.com:-1/")]
    [InlineData("https://1.2.3.4.5/")]
    [InlineData("https://1.2.3.256/")]
    [InlineData("https://example.0x7f/")]
    [InlineData("https://example.1/")]
    [InlineData("https://exa$mple.com/")]
    [InlineData("https://../")]
    [InlineData("https://./")]
    [InlineData("https://[::1/")]
    [InlineData("https://[zz]/")]
    [InlineData("https://bücher.example/")]
    [InlineData("https://%EF%BC%91.example/")]
    [InlineData("")]
    [InlineData(null)]
    public void Anything_but_a_plain_https_url_is_refused(string? text) => Assert.False(WebhookUrl.TryParse(text, Public, out _, out _));

    [Theory]
    [InlineData("https://example.com")]
    [InlineData("https://example.com/hooks?to=me@example.com")]
    [InlineData("https://example.com/@handle")]
    [InlineData("https://example.com:8443/a%20b")]
    [InlineData("HTTPS://EXAMPLE.COM/Hook")]
    [InlineData("https://under_score.example.com/")]
    [InlineData("https://xn--bcher-kva.example/")]
    [InlineData("https://localhost.example.com/")]
    [InlineData("https://8.8.8.8/")]
    [InlineData("https://[2606:4700:4700::1111]/")]
    public void An_https_url_of_a_name_or_a_public_address_is_accepted(string text)
    {
        Assert.True(WebhookUrl.TryParse(text, Public, out var url, out var error), error);
        Assert.Equal("https", url.Scheme);
    }

    [Fact]
    public void A_url_has_at_most_2048_characters()
    {
        var longest = "https://example.com/".PadRight(WebhookUrl.MaxLength, 'a');

        Assert.True(WebhookUrl.TryParse(longest, Public, out _, out _));
        Assert.False(WebhookUrl.TryParse(longest + "a", Public, out _, out _));
        Assert.False(WebhookUrl.TryParse(longest[..^1] + "ä", Public, out _, out var error));
        Assert.Contains("escaped", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Http_and_other_networks_are_accepted_if_the_operator_allows_them()
    {
        var policy = new AddressPolicy([IPNetwork.Parse("127.0.0.0/8")], allowHttp: true);

        Assert.True(WebhookUrl.TryParse("http://127.0.0.1:5000/", policy, out _, out _));
        Assert.True(WebhookUrl.TryParse("http://0x7f.1:5000/", policy, out _, out _));
        Assert.True(WebhookUrl.TryParse("http://localhost:5000/", policy, out _, out _));
        Assert.False(WebhookUrl.TryParse("http://[::1]:5000/", policy, out _, out _));
        Assert.False(WebhookUrl.TryParse("http://10.0.0.1/", policy, out _, out _));
    }
}
