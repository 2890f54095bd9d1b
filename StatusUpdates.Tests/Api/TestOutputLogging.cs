using Microsoft.Extensions.Logging;

namespace StatusUpdates.Tests.Api;

/// <summary>Shows a server's warnings and errors in the output of the test that runs it.</summary>
internal sealed class TestOutputLogging(Func<ITestOutputHelper?> output) : ILoggerProvider
{
    public TestOutputLogging(ITestOutputHelper? output)
        : this(() => output)
    {
    }

    public ILogger CreateLogger(string categoryName) => new Logger(output, categoryName);

    public void Dispose()
    {
    }

    private sealed class Logger(Func<ITestOutputHelper?> output, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
            {
                return;
            }

            try
            {
                output()?.WriteLine($"{logLevel} {category}: {formatter(state, exception)} {exception}");
            }
            catch (InvalidOperationException)
            {
                // The test has ended before its server.
            }
        }
    }
}
