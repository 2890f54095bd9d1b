using System.Reflection;
using StackExchange.Redis;
using StatusUpdates.Messaging;

namespace StatusUpdates.Tests.Messaging;

public sealed class StatusPublisherTests
{
    private static readonly StatusUpdate Update = new()
    {
        GenerationId = "gen-1",
        UserId = "user-1",
        Type = "chat",
        Status = GenerationStatus.Completed,
        Timestamp = 1,
    };

    public static TheoryData<string> Failures => [.. Outcomes.Keys];

    private static Dictionary<string, Func<Task<long>>> Outcomes { get; } = new()
    {
        ["canceled by the client"] = () => Task.FromCanceled<long>(new CancellationToken(canceled: true)),
        ["connection lost"] = () => Task.FromException<long>(new RedisConnectionException(ConnectionFailureType.SocketFailure, "lost")),
        ["connection broken by the client"] = () => Task.FromException<long>(new InvalidOperationException("Reading is not allowed after reader was completed.")),
        ["timed out"] = () => Task.FromException<long>(new RedisTimeoutException("late", CommandStatus.Sent)),
        ["disposed"] = () => throw new ObjectDisposedException("redis"),
        ["never answered"] = () => new TaskCompletionSource<long>().Task,
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task Announcing_committed_updates_never_throws_however_Redis_fails(string failure)
    {
        var publisher = new StatusPublisher(Redis(Outcomes[failure]), new StatusMessagingOptions { PublishTimeout = TimeSpan.FromMilliseconds(20) });
        Assert.False(await publisher.TryPublishAsync([Update]));
        Assert.False(await publisher.TryPublishCancelRequestAsync("gen-1"));
    }

    [Fact]
    public async Task While_the_global_channel_is_blocked_one_caller_waits_for_it_and_no_other()
    {
        var options = new StatusMessagingOptions { PublishTimeout = TimeSpan.FromMilliseconds(20) };
        var answer = new TaskCompletionSource<long>();
        var publisher = new StatusPublisher(Redis(channel => channel == new StatusChannels(options).All ? answer.Task : Task.FromResult(1L)), options);
        Assert.False(await publisher.TryPublishAsync([Update]));

        options.PublishTimeout = TimeSpan.FromDays(1);
        var second = publisher.TryPublishAsync([Update]);
        Assert.True(second.IsCompleted);
        Assert.False(await second);

        answer.SetResult(1);
        Assert.True(await publisher.TryPublishAsync([Update]));
    }

    // A client that reports being connected and answers each PUBLISH as the test says: how the real one fails depends on timing.
    private static IConnectionMultiplexer Redis(Func<Task<long>> publish) => Redis(_ => publish());

    private static IConnectionMultiplexer Redis(Func<RedisChannel, Task<long>> publish)
    {
        var subscriber = Stub.For<ISubscriber>((method, args) => method == nameof(ISubscriber.PublishAsync) ? publish((RedisChannel)args[0]!) : null);
        return Stub.For<IConnectionMultiplexer>((method, _) => method switch
        {
            "get_IsConnected" => true,
            nameof(IConnectionMultiplexer.GetSubscriber) => subscriber,
            _ => null,
        });
    }

    public class Stub : DispatchProxy
    {
        private Func<string, object?[], object?>? _answer;

        public static T For<T>(Func<string, object?[], object?> answer)
            where T : class
        {
            var stub = Create<T, Stub>();
            ((Stub)(object)stub)._answer = answer;
            return stub;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => _answer!(targetMethod!.Name, args ?? []);
    }
}
