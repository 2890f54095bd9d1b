namespace StatusUpdates.LocalHosting.Engine;

/// <summary>A started process, as its supervisor sees it.</summary>
/// <param name="ProcessId">Its id.</param>
/// <param name="Exited">Completes when it has ended, with the reason in words.</param>
/// <param name="StopAsync">Ends it in its own way, in bounded time.</param>
/// <param name="Kill">Ends it at once.</param>
internal sealed record RunningProcess(int ProcessId, Task<string> Exited, Func<Task> StopAsync, Action Kill);
