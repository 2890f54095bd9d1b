using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Receiver;
using StatusUpdates.Messaging;
using StatusUpdates.NativeServers.Native;
using StatusUpdates.Tests.EndToEnd;
using StatusUpdates.Webhooks.Keys;
using StatusUpdates.Webhooks.Messages;

namespace StatusUpdates.Tests.Webhooks;

/// <summary>Runs the code that docs/webhooks.md gives to receivers, and a third-party library, on real signatures.</summary>
public sealed partial class VerificationTests
{
    private static readonly byte[] Body = WebhookMessages.OfUpdate(new StatusUpdate
    {
        GenerationId = "gen-1",
        UserId = "Ünïcode 😀",
        Type = "product_card",
        Status = GenerationStatus.Failed,
        Timestamp = 1_700_000_000_123,
        Seq = 7,
        Metadata = new() { ErrorMessage = "it's <broken>\n\"twice\" 😀" },
    });

    private static CancellationToken Token => TestTime.Token;

    [Fact]
    public void The_CSharp_in_the_document_is_the_code_that_is_tested_here() =>
        Assert.Equal(File.ReadAllText(Path.Combine(Folder(), "WebhookVerifier.cs")), Blocks("csharp").Single());

    [Fact]
    public void The_CSharp_in_the_document_distinguishes_genuine_requests_from_others() => Assert.All(Cases(), request =>
    {
        if (request.Key.StartsWith("whsec_", StringComparison.Ordinal))
        {
            Assert.True(
                request.IsGenuine == WebhookVerifier.IsGenuine(
                    request.Headers.GetValueOrDefault("webhook-id"),
                    request.Headers.GetValueOrDefault("webhook-timestamp"),
                    request.Headers.GetValueOrDefault("webhook-signature"),
                    request.Body,
                    request.Key,
                    TimeProvider.System.GetUtcNow()),
                request.What);
        }
    });

    [Fact]
    public async Task The_JavaScript_in_the_document_and_the_package_standardwebhooks_distinguish_genuine_requests_from_others()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "verify.mjs"), Blocks("javascript").Single(), Token);
        await using var node = await NodeProgram.StartAsync("verify-harness.mjs", redis: null, folder.Path);
        foreach (var request in Cases())
        {
            await node.SayAsync(request.ToJson());
            var answer = await node.NextAsync(Token);
            Assert.True(request.IsGenuine == answer.GetProperty("own").GetBoolean(), request.What);
            if (answer.GetProperty("package").ValueKind != JsonValueKind.Null)
            {
                Assert.True(request.IsGenuine == answer.GetProperty("package").GetBoolean(), request.What + " (standardwebhooks)");
            }
        }
    }

    [Fact]
    public async Task The_Python_in_the_document_distinguishes_genuine_requests_from_others()
    {
        var requests = Cases().Where(request => request.Key.StartsWith("whsec_", StringComparison.Ordinal)).ToArray();

        var answers = await PythonAsync(Blocks("python")[0], "is_genuine", requests);

        Assert.Equal(requests.Select(request => $"{request.What}: {request.IsGenuine}"), requests.Zip(answers, (request, answer) => $"{request.What}: {answer}"));
    }

    [Fact]
    public async Task The_Python_in_the_document_verifies_with_the_public_key_if_its_package_is_installed()
    {
        // The timestamp is checked by the other code block.
        var requests = Cases()
            .Where(request => request.Key.StartsWith("whpk_", StringComparison.Ordinal) && !request.What.Contains("old", StringComparison.Ordinal))
            .ToArray();

        var answers = await PythonAsync(Blocks("python")[1], "fits_public_key", requests, package: "cryptography");

        Assert.Equal(requests.Select(request => $"{request.What}: {request.IsGenuine}"), requests.Zip(answers, (request, answer) => $"{request.What}: {answer}"));
    }

    private static async Task<bool[]> PythonAsync(string block, string function, Request[] requests, string? package = null)
    {
        var python = ToolPath.Find("python3");
        Assert.SkipWhen(python is null, "Python is not installed.");
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(Path.Combine(folder.Path, "receiver.py"), block, Token);
        var harness =
            $"""
            import base64, importlib.util, json, sys
            if {(package is null ? "None" : $"'{package}'")} and not importlib.util.find_spec('{package}'):
                sys.exit(77)
            sys.path.insert(0, sys.argv[1])
            from receiver import {function}
            for line in sys.stdin:
                request = json.loads(line)
                print({function}(request["headers"], base64.b64decode(request["body"]), request["key"]))
            """;
        using var process = Process.Start(new ProcessStartInfo(python, ["-c", harness, folder.Path])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = process.StandardOutput.ReadToEndAsync(Token);
        var errors = process.StandardError.ReadToEndAsync(Token);
        try
        {
            await process.StandardInput.WriteAsync(string.Join('\n', requests.Select(request => request.ToJson())).AsMemory(), Token);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The process has already exited: its exit code says why.
        }

        await process.WaitForExitAsync(Token);
        Assert.SkipWhen(process.ExitCode == 77, $"The Python package {package} is not installed.");
        Assert.True(process.ExitCode == 0, await errors);
        return [.. (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Trim() == "True")];
    }

    private static List<Request> Cases()
    {
        var now = TimeProvider.System.GetUtcNow();
        var first = SigningKeys.Create();
        var second = first.Rotate(TimeSpan.FromHours(1), now);
        var over = first.Rotate(TimeSpan.FromHours(1), now.AddHours(-2));
        var other = SigningKeys.Create();
        var cases = new List<Request>();
        foreach (var (name, keyOf) in new (string, Func<SigningKeys, string>)[] { ("v1", keys => keys.Secret), ("v1a", keys => keys.PublicKey) })
        {
            cases.AddRange(
            [
                Request.Sign($"{name}: right", first, now, Body) with { Key = keyOf(first), IsGenuine = true },
                Request.Sign($"{name}: with the new key during a rotation", second, now, Body) with { Key = keyOf(second), IsGenuine = true },
                Request.Sign($"{name}: with the earlier key during a rotation", second, now, Body) with { Key = keyOf(first), IsGenuine = true },
                Request.Sign($"{name}: four minutes behind", first, now.AddMinutes(-4), Body) with { Key = keyOf(first), IsGenuine = true },
                Request.Sign($"{name}: with the earlier key after a rotation", over, now, Body) with { Key = keyOf(first) },
                Request.Sign($"{name}: with somebody else's key", first, now, Body) with { Key = keyOf(other) },
                Request.Sign($"{name}: too old", first, now.AddMinutes(-6), Body) with { Key = keyOf(first) },
                Request.Sign($"{name}: not old, but of the future", first, now.AddMinutes(6), Body) with { Key = keyOf(first) },
                Request.Sign($"{name}: changed body", first, now, Body) with { Key = keyOf(first), Body = [.. Body, (byte)' '] },
                Request.Sign($"{name}: changed id", first, now, Body).With("webhook-id", "msg_2") with { Key = keyOf(first) },
                Request.Sign($"{name}: changed timestamp", first, now, Body)
                    .With("webhook-timestamp", $"{now.ToUnixTimeSeconds() - 1}") with { Key = keyOf(first) },
                Request.Sign($"{name}: no signature", first, now, Body).With("webhook-signature", "v1, v1a, v2,AAAA") with { Key = keyOf(first) },
                Request.Sign($"{name}: invalid base64", first, now, Body).With("webhook-signature", "v1,A v1a,A v1a,é v1a,====") with { Key = keyOf(first) },
                Request.Sign($"{name}: endless timestamp", first, now, Body).With("webhook-timestamp", new('1', 5000)) with { Key = keyOf(first) },
                .. new[] { "webhook-id", "webhook-timestamp", "webhook-signature" }.Select(
                    header => Request.Sign($"{name}: without {header}", first, now, Body).Without(header) with { Key = keyOf(first) }),
            ]);
        }

        return cases;
    }

    private static string[] Blocks(string language) =>
    [
        .. Block().Matches(File.ReadAllText(Path.Combine(Folder(), "..", "..", "docs", "webhooks.md")))
            .Where(block => block.Groups["language"].Value == language)
            .Select(block => block.Groups["code"].Value),
    ];

    private static string Folder([CallerFilePath] string thisFile = "") => Path.GetDirectoryName(thisFile)!;

    [GeneratedRegex(@"^```(?<language>[a-z]+)\n(?<code>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex Block();

    private sealed record Request(string What, Dictionary<string, string> Headers, byte[] Body)
    {
        public string Key { get; init; } = "";

        public bool IsGenuine { get; init; }

        public static Request Sign(string what, SigningKeys keys, DateTimeOffset time, byte[] body)
        {
            const string Id = "msg_0197f0f0d1c27cc2a4f1c5e4b3a29180";
            var headers = new Dictionary<string, string>
            {
                ["webhook-id"] = Id,
                ["webhook-timestamp"] = $"{time.ToUnixTimeSeconds()}",
                ["webhook-signature"] = keys.Sign(Id, time, body, TimeProvider.System.GetUtcNow()),
            };
            return new(what, headers, body);
        }

        public Request With(string header, string value) => this with { Headers = new Dictionary<string, string>(Headers) { [header] = value } };

        public Request Without(string header) => this with { Headers = new(Headers.Where(h => h.Key != header)) };

        public string ToJson() => JsonSerializer.Serialize(new { headers = Headers, body = Convert.ToBase64String(Body), key = Key });
    }
}
