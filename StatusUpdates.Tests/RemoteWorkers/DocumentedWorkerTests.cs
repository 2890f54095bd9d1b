using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.Api;

namespace StatusUpdates.Tests.RemoteWorkers;

/// <summary>The worker in docs/worker-protocol.md, as a reader would try it.</summary>
public sealed partial class DocumentedWorkerTests(TestServers servers)
{
    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public async Task The_worker_in_the_document_does_a_generation()
    {
        var bash = ToolPath.Find("bash");
        Assert.SkipWhen(bash is null || ToolPath.Find("jq") is null || ToolPath.Find("curl") is null, "bash, jq or curl is not installed.");
        await using var api = await TestApi.StartAsync(servers);
        using var client = api.As("u");
        using var submitted = await client.PostAsync(
            "/api/v1/generations", Answers.Json("""{"type":"chat","prompt":"a \"quoted\" prompt"}"""), Token);
        var id = (string)(await submitted.DataAsync(System.Net.HttpStatusCode.Accepted))["id"]!;

        var document = await File.ReadAllTextAsync(Path.Combine(Root(), "docs", "worker-protocol.md"), Token);
        var script = Script().Match(document).Groups["script"].Value.Replace("http://localhost:5080", api.Address.GetLeftPart(UriPartial.Authority), StringComparison.Ordinal);
        await using var worker = new Shell(new ProcessStartInfo(bash!, ["-c", script]));
        var (_, output, error) = await worker.RunAsync();

        Assert.Contains("\"status\":\"completed\"", output + error, StringComparison.Ordinal);
        using var done = await client.GetAsync($"/api/v1/generations/{id}", Token);
        var url = new Uri((string)(await done.DataAsync())["resultUrls"]![0]!);
        Assert.Equal("tpmorp \"detouq\" a", await api.Anonymous.GetStringAsync(url.AbsolutePath, Token));
    }

    [GeneratedRegex("```bash\n(?<script>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Script();

    private static string Root([CallerFilePath] string thisFile = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", ".."));

    private sealed class Shell(ProcessStartInfo start) : ConsoleProcess(start, "never");
}
