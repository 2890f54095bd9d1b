using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ApiProgram = StatusUpdates.Api.Program;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>
/// A clock that runs like the system's and skips ahead when a test says so: a measured interval that includes the skip is longer by it. The time
/// of day does not change, so tokens keep their lifetimes. For an API in a separate process, run by <c>StartupHook</c>.
/// </summary>
internal sealed class SkippedTime : TimeProvider
{
    /// <summary>The environment variable that enables it.</summary>
    public const string Variable = "STATUSUPDATES_TEST_SKIPPED_TIME";

    /// <summary>The start of an input line with the time to skip, and of the line that confirms it.</summary>
    public const string Skip = "skip time: ";

    private long _skipped;

    public override long GetTimestamp() => base.GetTimestamp() + Volatile.Read(ref _skipped);

    public static void RunApi()
    {
        var time = new SkippedTime();
        using var app = ApiProgram.Build(
            new WebApplicationOptions { ApplicationName = typeof(ApiProgram).Assembly.GetName().Name },
            builder =>
            {
                TestPrograms.SetConstants(builder);
                builder.Services.AddSingleton<TimeProvider>(time);
            });
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
