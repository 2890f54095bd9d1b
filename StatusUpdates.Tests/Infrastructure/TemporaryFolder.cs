namespace StatusUpdates.Tests.Infrastructure;

/// <summary>An empty folder, deleted with its content at the end.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("status-updates-test-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
