using System.Text.Json;
using System.Text.Json.Nodes;
using StatusUpdates.Tests.EndToEnd;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Chapter "Payload".</summary>
public sealed class PayloadConformanceTests(RunningSystem system)
{
    private static readonly Dictionary<string, string[]> Next = new()
    {
        [""] = ["pending"],
        ["pending"] = ["processing", "canceled", "failed"],
        ["processing"] = ["processing", "pending", "completed", "failed", "canceled"],
        ["completed"] = [],
        ["failed"] = [],
        ["canceled"] = [],
    };

    private readonly ConformanceTarget _target = new(system);

    [Fact]
    [Requirement("P1", "P4", "P6")]
    public async Task Members_have_their_names_and_types_and_are_absent_if_there_is_no_value()
    {
        await using var user = await _target.UserAsync();
        var (_, updates, ids) = await user.RunAsync(2);
        foreach (var update in updates.Select(update => update.AsObject()))
        {
            Assert.Contains((string)update["generationId"]!, ids);
            Assert.Equal(user.UserId, (string?)update["userId"]);
            Assert.Matches(@"^[a-z][a-z0-9_]{0,63}\z", (string?)update["type"]);
            Assert.Contains((string)update["status"]!, Next.Keys);
            Assert.True(update["timestamp"]!.AsValue().TryGetValue<long>(out _));
            Assert.InRange((long)update["seq"]!, 1, (1L << 53) - 1);
            Assert.DoesNotContain(update, member => member.Key.Contains("trace", StringComparison.OrdinalIgnoreCase));
            Assert.DoesNotContain(update, member => member.Value is null);
            if (update["metadata"] is { } metadata)
            {
                Assert.NotEmpty(metadata.AsObject());
                AssertMetadata(metadata.AsObject());
            }
        }

        var completed = updates.Where(update => (string?)update["status"] == "completed").ToArray();
        Assert.All(completed, update => Assert.NotEmpty(update["metadata"]!["resultUrls"]!.AsArray()));
        Assert.All(
            updates.Where(update => (string?)update["status"] == "failed"), update => Assert.NotEmpty((string)update["metadata"]!["errorMessage"]!));
    }

    [Fact]
    [Requirement("P2")]
    public async Task A_generations_updates_follow_its_lifecycle()
    {
        await using var user = await _target.UserAsync();
        var (_, updates, ids) = await user.RunAsync(3);
        foreach (var id in ids)
        {
            var status = "";
            var attempt = 0;
            foreach (var update in updates.Where(update => (string?)update["generationId"] == id))
            {
                Assert.Contains((string)update["status"]!, Next[status]);
                status = (string)update["status"]!;
                var now = (int?)update["metadata"]?["attempt"] ?? attempt;
                Assert.True(now >= attempt, update.ToJsonString());
                attempt = now;
            }

            Assert.Empty(Next[status]);
        }
    }

    [Fact]
    [Requirement("P3", "C5")]
    public async Task Every_transport_and_the_history_have_the_same_payload_for_the_same_seq()
    {
        await using var user = await _target.UserAsync();
        var (since, updates, ids) = await user.RunAsync(3);
        var last = ConformanceTransport.Seq(updates[^1]);
        foreach (var transport in ConformanceTransport.All)
        {
            ConformanceTransport.AssertSame(updates, await ConformanceTransport.ReadAsync(transport, user, since, last));
        }

        foreach (var id in ids)
        {
            var history = await user.HistoryAsync(id, "?limit=1000");
            ConformanceTransport.AssertSame(
                [.. updates.Where(update => (string?)update["generationId"] == id)], [.. history["items"]!.AsArray().Select(item => item!)]);
        }
    }

    private static void AssertMetadata(JsonObject metadata)
    {
        Assert.All(metadata["resultUrls"]?.AsArray() ?? [], url => Assert.True(Uri.TryCreate((string?)url, UriKind.Absolute, out _)));
        AssertInteger(metadata["tokensUsed"], 0, long.MaxValue);
        AssertInteger(metadata["progress"], 0, 100);
        AssertInteger(metadata["attempt"], 1, int.MaxValue);
        Assert.True(metadata["errorMessage"] is null || metadata["errorMessage"]!.GetValueKind() == JsonValueKind.String);
        Assert.DoesNotContain(metadata, member => member.Value is null);
    }

    private static void AssertInteger(JsonNode? node, long min, long max)
    {
        if (node is not null)
        {
            Assert.InRange((long)node, min, max);
        }
    }
}
