using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.Tests.Api;

/// <summary>Collects everything that is logged: messages, states, scopes and exceptions, in every category and at every level.</summary>
[ProviderAlias("Collected")]
internal sealed class CollectedLogs : ILoggerProvider, ISupportExternalScope
{
    private readonly ConcurrentQueue<string> _lines = new();
    private IExternalScopeProvider? _scopes;

    public IReadOnlyCollection<string> Lines => _lines;

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

    public void Dispose()
    {
    }

    private static string Describe(object? state) => state is IEnumerable<KeyValuePair<string, object?>> values
        ? string.Join(", ", values.Select(pair => $"{pair.Key}={pair.Value}"))
        : $"{state}";

    private sealed class Logger(CollectedLogs logs, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => logs._scopes?.Push(state);

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            logs._lines.Enqueue($"{logLevel} {category} {eventId} {formatter(state, exception)} {Describe(state)} {exception}");
            logs._scopes?.ForEachScope((scope, lines) => lines.Enqueue($"scope of {category}: {Describe(scope)}"), logs._lines);
        }
    }
}
