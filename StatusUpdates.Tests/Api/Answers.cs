using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace StatusUpdates.Tests.Api;

/// <summary>Reads responses and checks what all of them have in common.</summary>
internal static class Answers
{
    private static CancellationToken Token => TestTime.Token;

    public static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    /// <summary>The <c>data</c> of a successful response.</summary>
    public static async Task<JsonNode> DataAsync(this HttpResponseMessage response, HttpStatusCode status = HttpStatusCode.OK)
    {
        var text = await response.Content.ReadAsStringAsync(Token);
        Assert.True(response.StatusCode == status, $"{response.RequestMessage}: {(int)response.StatusCode} {text}");
        var body = JsonNode.Parse(text)!.AsObject();
        Assert.True((bool)body["success"]!);
        Assert.Equal(["success", "data"], body.Select(member => member.Key));
        return body["data"]!;
    }

    /// <summary>The problem, which must have this status and code and the shape that all problems share.</summary>
    public static async Task<JsonObject> ProblemAsync(this HttpResponseMessage response, HttpStatusCode status, string code)
    {
        var text = await response.Content.ReadAsStringAsync(Token);
        Assert.True(response.StatusCode == status, $"{response.RequestMessage}: {(int)response.StatusCode} {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var body = JsonNode.Parse(text)!.AsObject();
        Assert.False((bool)body["success"]!);
        Assert.Equal((int)status, (int)body["status"]!);
        Assert.Equal(code, (string?)body["code"]);
        Assert.NotEmpty((string)body["title"]!);
        Assert.Equal("about:blank", (string?)body["type"]);
        Assert.DoesNotContain(" at StatusUpdates.", text, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", text, StringComparison.Ordinal);
        return body;
    }
}
