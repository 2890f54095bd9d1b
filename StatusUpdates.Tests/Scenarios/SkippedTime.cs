using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ApiProgram = StatusUpdates.Api.Program;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>
/// A clock that runs as the system's does, and leaps on where a test says so: what is measured from then on is longer by the leap. The time of
/// day does not change, so tokens stay what they are. For an API in a process of its own, run by <c>StartupHook</c>.
/// </summary>
internal sealed class SkippedTime : TimeProvider
{
    /// <summary>The environment variable that asks for it.</summary>
    public const string Variable = "STATUSUPDATES_TEST_SKIPPED_TIME";

    /// <summary>A line of standard input with how long to leap, and the beginning of the answer.</summary>
    public const string Skip = "skip time: ";

    private long _skipped;

    public override long GetTimestamp() => base.GetTimestamp() + Volatile.Read(ref _skipped);

    public static void RunApi()
    {
        var time = new SkippedTime();
        using var app = ApiProgram.Build(
            new WebApplicationOptions { ApplicationName = typeof(ApiProgram).Assembly.GetName().Name },
            builder => builder.Services.AddSingleton<TimeProvider>(time));
        new Thread(time.Listen) { IsBackground = true }.Start();
        app.Run();
    }

    private void Listen()
    {
        while (Console.ReadLine() is { } line)
        {
            if (line.StartsWith(Skip, StringComparison.Ordinal))
            {
                var by = TimeSpan.Parse(line[Skip.Length..], CultureInfo.InvariantCulture);
                Interlocked.Add(ref _skipped, (long)(by.TotalSeconds * TimestampFrequency));
                Console.WriteLine(line);
            }
        }
    }
}
