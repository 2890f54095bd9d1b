using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

public sealed class ServerFolderTests
{
    [Fact]
    public async Task Callers_that_prepare_one_unreachable_folder_at_once_get_the_same_one()
    {
        var user = UnixUser.ForServers();
        Assert.SkipWhen(user is null, "Only root's folders can be unreachable for the servers.");
        using var closed = new TemporaryFolder(); // mode 700, of root
        var requested = Path.Combine(closed.Path, "data");
        try
        {
            var callers = Enumerable.Range(0, 8).Select(_ => Task.Run(() => ServerFolder.PrepareAsync(requested, user, TestTime.Token)));

            var folder = Assert.Single((await Task.WhenAll(callers)).Distinct());

            Assert.NotEqual(requested, folder);
            Assert.Equal(folder, new DirectoryInfo(requested).LinkTarget);
        }
        finally
        {
            ServerFolder.Delete(requested);
        }
    }
}
