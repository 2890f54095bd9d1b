using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using StatusUpdates.SampleProviders.Providers;
using ApiProgram = StatusUpdates.Api.Program;
using BotProgram = StatusUpdates.Bot.Program;
using WorkerProgram = StatusUpdates.Worker.WorkerProgram;

namespace StatusUpdates.Tests.Scenarios;

/// <summary>
/// The programs themselves in a separate process, with constants that a test changes (<see cref="TestSettings"/>); run by <c>StartupHook</c>.
/// </summary>
internal static class TestPrograms
{
    /// <summary>The environment variable that names the program's file.</summary>
    public const string ProgramVariable = "STATUSUPDATES_TEST_PROGRAM";

    /// <summary>The environment variable with the constants: a line for each, <c>key=value</c>.</summary>
    public const string ConstantsVariable = "STATUSUPDATES_TEST_CONSTANTS";

    public static void Run(string program)
    {
        using var host = Build(program);
        host.Run();
    }

    /// <summary>Sets the constants that the environment has.</summary>
    public static void SetConstants(IHostApplicationBuilder builder) => builder.Set(
        (Environment.GetEnvironmentVariable(ConstantsVariable) ?? "")
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split('=', 2))
            .Select(pair => KeyValuePair.Create(pair[0], (string?)pair[1])));

    private static IHost Build(string program) => program switch
    {
        "StatusUpdates.Api.dll" => ApiProgram.Build(
            new WebApplicationOptions { ApplicationName = typeof(ApiProgram).Assembly.GetName().Name }, SetConstants),
        "StatusUpdates.SampleProviders.dll" => WorkerProgram.Build(
            new HostApplicationBuilderSettings(),
            builder =>
            {
                SetConstants(builder);
                builder.AddSampleProviders();
            }),
        "StatusUpdates.Bot.dll" => BotProgram.Build(new HostApplicationBuilderSettings(), SetConstants),
        _ => throw new ArgumentOutOfRangeException(nameof(program), program, "Not a program of ours."),
    };
}
