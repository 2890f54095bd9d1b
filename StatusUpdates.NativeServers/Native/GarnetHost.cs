using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Garnet;

namespace StatusUpdates.NativeServers.Native;

/// <summary>Runs Garnet in its own process, which can be killed and restarted like redis-server.</summary>
internal static class GarnetHost
{
    public const string Command = "garnet";

    public static async Task<int> RunAsync(string optionsFile)
    {
        var options = JsonSerializer.Deserialize(await File.ReadAllTextAsync(optionsFile), GarnetHostJson.Default.GarnetHostOptions)
            ?? throw new InvalidDataException($"{optionsFile} contains no options.");
        List<string> arguments =
        [
            "--port", options.Port.ToString(CultureInfo.InvariantCulture),
            "--bind", "127.0.0.1",
            "--memory", "64m",
            "--index", "1m",
            "--logger-level", "Warning",
            .. options.Password is { } password ? (string[])["--auth", "Password", "--password", password] : [],
        ];

        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            stop.TrySetResult();
        });
        using var server = new GarnetServer([.. arguments]);
        server.Start();
        await stop.Task;
        return 0;
    }
}

internal sealed record GarnetHostOptions(int Port, string? Password);

[JsonSerializable(typeof(GarnetHostOptions))]
internal sealed partial class GarnetHostJson : JsonSerializerContext;
