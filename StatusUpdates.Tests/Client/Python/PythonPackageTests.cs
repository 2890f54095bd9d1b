using Microsoft.AspNetCore.Hosting;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.Client.Python;

/// <summary>The tests of <c>clients/python</c> itself, with Python's standard library only.</summary>
public sealed class PythonPackageTests(TestServers servers)
{
    [Theory]
    [InlineData("tests.test_events")]
    [InlineData("tests.test_feed")]
    [InlineData("tests.test_client")]
    [InlineData("tests.test_tls")]
    [InlineData("tests.test_worker")]
    public async Task The_package_withstands_a_server_that_misbehaves(string module) => AssertRan(await PythonProgram.RunTestsAsync([module]));

    [Theory]
    [InlineData("tests.test_real_client")]
    [InlineData("tests.test_real_worker")]
    public async Task The_package_works_with_the_API(string module)
    {
        var address = LoopbackPort.FindFreeAddress();
        await using var api = await TestApi.StartAsync(
            servers,
            new Dictionary<string, string?>
            {
                ["Results:PublicBaseUrl"] = address.GetLeftPart(UriPartial.Authority),
                ["Attempts:RetryBackOff"] = "00:00:00.100",
            },
            configure: builder => builder.WebHost.UseUrls(address.GetLeftPart(UriPartial.Authority)));

        AssertRan(await PythonProgram.RunTestsAsync([module], api.Address));
        await api.Database.AssertConsistentAsync(TestTime.Token);
    }

    private static void AssertRan(string output)
    {
        Assert.Matches(@"Ran [1-9]\d* tests? in ", output);
        Assert.DoesNotContain("skipped=", output, StringComparison.Ordinal);
    }
}
