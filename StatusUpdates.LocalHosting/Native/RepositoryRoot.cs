namespace StatusUpdates.LocalHosting.Native;

/// <summary>The clone that the running program was built in.</summary>
internal static class RepositoryRoot
{
    private const string Marker = "StatusUpdates.sln";

    /// <summary>The nearest folder above the program that holds the solution, else the current one.</summary>
    public static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, Marker)))
            {
                return folder.FullName;
            }
        }

        return Directory.GetCurrentDirectory();
    }

    /// <summary><c>.local/</c>, which git ignores and which keeps what is to survive a run.</summary>
    public static string StateDirectory() => Path.Combine(Find(), ".local");
}
