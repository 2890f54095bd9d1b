using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace StatusUpdates.Tests.Bot;

/// <summary>Updates for the bot: kept until a request confirms them with a higher offset, and given to the latest request.</summary>
internal sealed class FakeUpdates
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<int, JsonObject> _waiting = [];
    private readonly ConcurrentDictionary<int, JsonObject> _all = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _lastId = 100;
    private int _latestRequest;
    private int _polls;

    /// <summary>The kinds that were last requested; null for the default of Telegram.</summary>
    public IReadOnlyList<string>? Kinds { get; private set; }

    public int Polls => Volatile.Read(ref _polls);

    public int Add(Func<int, JsonObject> make)
    {
        lock (_lock)
        {
            var id = ++_lastId;
            _waiting[id] = _all[id] = make(id);
            Change();
            return id;
        }
    }

    public void Redeliver(int id)
    {
        lock (_lock)
        {
            _waiting[id] = _all[id];
            Change();
        }
    }

    public async Task AnswerAsync(HttpContext context, JsonObject parameters)
    {
        Interlocked.Increment(ref _polls);
        Kinds = (parameters["allowed_updates"] as JsonArray)?.Select(kind => (string)kind!).ToList();
        var offset = (int?)parameters["offset"] ?? 0;
        var until = TimeProvider.System.GetUtcNow().AddSeconds((int?)parameters["timeout"] ?? 0);
        int request;
        lock (_lock)
        {
            request = ++_latestRequest;
            Change();
        }

        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (request != _latestRequest)
                {
                    changed = Task.CompletedTask;
                }
                else
                {
                    foreach (var old in _waiting.Keys.Where(id => id < offset && offset > 0).ToList())
                    {
                        _waiting.Remove(old);
                    }

                    changed = _waiting.Count > 0 ? Task.CompletedTask : _changed.Task;
                }
            }

            if (request != _latestRequest)
            {
                await FakeTelegram.WriteAsync(context, 409, FakeTelegram.Error(409, "Conflict: terminated by other getUpdates request"));
                return;
            }

            var left = until - TimeProvider.System.GetUtcNow();
            if (changed.IsCompleted || left <= TimeSpan.Zero)
            {
                break;
            }

            await Task.WhenAny(changed, Task.Delay(left, context.RequestAborted));
            if (context.RequestAborted.IsCancellationRequested)
            {
                return;
            }
        }

        JsonArray result;
        lock (_lock)
        {
            result = [.. _waiting.Values.Select(update => update.DeepClone())];
        }

        await FakeTelegram.WriteAsync(context, 200, FakeTelegram.Ok(result));
    }

    private void Change()
    {
        var changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }
}
