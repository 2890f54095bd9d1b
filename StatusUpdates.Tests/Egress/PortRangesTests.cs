using StatusUpdates.Egress;

namespace StatusUpdates.Tests.Egress;

public sealed class PortRangesTests
{
    [Fact]
    public void Ports_and_ranges_contain_their_ends_and_nothing_beyond()
    {
        Assert.True(PortRanges.TryParse(["443", "8000-8999"], out var ports));

        Assert.All([443, 8000, 8500, 8999], port => Assert.True(ports.Contains(port)));
        Assert.All([442, 444, 7999, 9000], port => Assert.False(ports.Contains(port)));
        Assert.Equal("443, 8000-8999", ports.ToString());
    }

    [Fact]
    public void The_first_and_the_last_port_are_ports()
    {
        Assert.True(PortRanges.TryParse(["1", "65535"], out var ports));
        Assert.Equal("1, 65535", ports.ToString());
        Assert.All([1, 65535], port => Assert.True(PortRanges.All.Contains(port)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("65536")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData(" 443")]
    [InlineData("https")]
    [InlineData("9-8")]
    [InlineData("1-2-3")]
    [InlineData("1-")]
    [InlineData("0-10")]
    [InlineData("10-65536")]
    public void Anything_else_is_invalid_also_beside_valid_ports(string text) => Assert.False(PortRanges.TryParse(["443", text], out _));
}
