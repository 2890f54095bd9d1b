using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Npgsql;
using StatusUpdates.Tests.Api;
using StatusUpdates.Tests.Conformance;

namespace StatusUpdates.Tests.RemoteWorkers;

/// <summary>An API, its users, and workers that connect to it.</summary>
internal static class RemoteWorkerScene
{
    private static CancellationToken Token => TestTime.Token;

    /// <summary>A worker of its own id. It is not disposed of: what it holds stays as it is.</summary>
    public static ConformanceWorker ConnectWorker(this TestApi api, string? id = null, string name = "gpu", params string[] tasks) =>
        new(api.Address, TestTokens.OfWorker(name, tasks), id ?? $"worker:{Guid.NewGuid():N}");

    /// <summary>Submits over REST, which also announces it.</summary>
    public static async Task<string> SubmitAsync(this TestApi api, string user = "u", string? deadline = null)
    {
        var body = new JsonObject { ["type"] = "sora", ["prompt"] = "p" };
        if (deadline is not null)
        {
            body["deadline"] = deadline;
        }

        using var client = api.CreateClient(TestTokens.Create(user));
        using var response = await client.PostAsync("/api/v1/generations", Answers.Json(body.ToJsonString()), Token);
        return (string)(await response.DataAsync(HttpStatusCode.Accepted))["id"]!;
    }

    public static async Task CancelAsync(this TestApi api, string id, string user = "u")
    {
        using var client = api.CreateClient(TestTokens.Create(user));
        using var response = await client.PostAsync($"/api/v1/generations/{id}/cancel", null, Token);
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
    }

    /// <summary>Locks a row until it is disposed of: whoever writes to it waits.</summary>
    public static async Task<NpgsqlConnection> LockAsync(this TestDatabase database, string select)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(database.ConnectionString) { Pooling = false }.ToString());
        await connection.OpenAsync(Token);
        await using var command = new NpgsqlCommand($"BEGIN; {select} FOR UPDATE", connection);
        await command.ExecuteNonQueryAsync(Token);
        return connection;
    }

    /// <summary>Waits until a statement that begins like this waits for a lock.</summary>
    public static Task UntilWaitingAsync(this TestDatabase database, string statement) => database.UntilAsync(
        $"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '-- {statement}%')");

    /// <summary>Completes when a client of this API has disconnected during a request to this path, as the API sees it.</summary>
    public static Action<WebApplication> Watch(string path, TaskCompletionSource isAborted) => app => app.Use((HttpContext context, RequestDelegate next) =>
    {
        if (context.Request.Path == path)
        {
            context.RequestAborted.Register(isAborted.SetResult);
        }

        return next(context);
    });

    /// <summary>Signals each request to this path that arrives.</summary>
    public static Action<WebApplication> Count(string path, SemaphoreSlim arrivals) => app => app.Use((HttpContext context, RequestDelegate next) =>
    {
        if (context.Request.Path == path)
        {
            arrivals.Release();
        }

        return next(context);
    });

    /// <summary>The statement timeouts of the API, for tests that hold locks for as long as it takes.</summary>
    public static Dictionary<string, string?> PatientDatabase { get; } = new()
    {
        ["StatusDatabase:LockTimeout"] = "00:10:00",
        ["StatusDatabase:StatementTimeout"] = "00:10:00",
        ["StatusDatabase:RetryFor"] = "00:20:00",
    };
}
