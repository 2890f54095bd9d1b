using System.Text.Json;
using StatusUpdates.NativeServers.Native;

namespace StatusUpdates.Tests.Hosting;

public sealed class GuardTests : IDisposable
{
    private static readonly StopStep[] Steps = [new(Posix.SigTerm, TimeSpan.FromSeconds(5))];
    private readonly string _folder = Directory.CreateTempSubdirectory("status-updates-guard-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_child_ends_when_its_pipe_closes_although_a_later_child_still_runs()
    {
        var cancellation = TestTime.Token;
        var first = await GuardedProcess.StartAsync(Sleep(), cancellation);
        await using var second = await GuardedProcess.StartAsync(Sleep(), cancellation);

        // If the second had inherited the first one's pipe, the first would not see it close.
        await first.DisposeAsync().AsTask().WaitAsync(TestTime.Patience, cancellation);

        Assert.False(first.Child.IsAlive);
        Assert.True(second.Child.IsAlive);
    }

    [Fact]
    public async Task A_child_that_ignores_its_stop_signal_is_killed_after_the_timeout()
    {
        var cancellation = TestTime.Token;
        var stubborn = await GuardedProcess.StartAsync(
            new GuardSpec
            {
                FileName = "/bin/sh",
                Arguments = ["-c", "trap '' TERM; echo trapped; while true; do sleep 1; done"],
                StopSteps = [new StopStep(Posix.SigTerm, TimeSpan.FromMilliseconds(200))],
            },
            cancellation);
        await Eventually.TrueAsync(() => stubborn.LastLines.Contains("trapped"));

        await stubborn.DisposeAsync();

        Assert.Equal(128 + Posix.SigKill, await stubborn.Exited);
        Assert.False(stubborn.Child.IsAlive);
    }

    [Fact]
    public async Task A_missing_program_is_an_error_that_names_it()
    {
        var error = await Assert.ThrowsAsync<ChildProcessException>(() => GuardedProcess.StartAsync(
            new GuardSpec { FileName = "/nowhere/server", Arguments = [], StopSteps = Steps }, TestTime.Token));

        Assert.Contains("/nowhere/server", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_leftover_server_is_stopped_but_a_process_that_only_has_the_same_id_is_not()
    {
        var cancellation = TestTime.Token;
        await using var bystander = await GuardedProcess.StartAsync(Sleep(), cancellation);
        var recycled = new ProcessIdentity(bystander.Child.Pid, bystander.Child.StartMark - 1);
        var stateFile = Path.Combine(_folder, "server.json");
        await File.WriteAllTextAsync(stateFile, JsonSerializer.Serialize(new GuardState(recycled, recycled), GuardJson.Default.GuardState), cancellation);

        await LeftoverServer.StopAsync(stateFile, Steps, cancellation);
        Assert.True(bystander.Child.IsAlive);

        await using var leftover = await GuardedProcess.StartAsync(Sleep() with { StateFile = stateFile }, cancellation);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(stateFile));
        await LeftoverServer.StopAsync(stateFile, Steps, cancellation);
        Assert.False(leftover.Child.IsAlive);
    }

    private static GuardSpec Sleep() => new() { FileName = "sleep", Arguments = ["600"], StopSteps = Steps };
}
