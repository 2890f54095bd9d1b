using System.Text.Json.Nodes;

namespace StatusUpdates.Tests.Conformance;

/// <summary>Users that are disposed of together.</summary>
internal sealed class ManyUsers(ConformanceUser[] users) : IAsyncDisposable
{
    public ConformanceUser this[int index] => users[index];

    /// <summary>The user whose generation was leased.</summary>
    public ConformanceUser Of(JsonNode lease) => users.Single(user => user.UserId == (string?)lease["userId"]);

    public async ValueTask DisposeAsync()
    {
        foreach (var user in users)
        {
            await user.DisposeAsync();
        }
    }
}
