namespace StatusUpdates.Benchmarks.Servers;

/// <summary>Processor time in seconds, used until a moment or between two moments.</summary>
/// <param name="Server">The server under measurement.</param>
/// <param name="Postgres">PostgreSQL with all its processes.</param>
/// <param name="Redis">Redis.</param>
/// <param name="Load">This process: the writer and the clients.</param>
/// <param name="Machine">Everything on the machine, including these four; 0 if the operating system does not report it.</param>
internal readonly record struct CpuReading(double Server, double Postgres, double Redis, double Load, double Machine)
{
    public double Others => Math.Max(0, Machine - Server - Postgres - Redis - Load);

    public static CpuReading operator +(CpuReading a, CpuReading b) =>
        new(a.Server + b.Server, a.Postgres + b.Postgres, a.Redis + b.Redis, a.Load + b.Load, a.Machine + b.Machine);

    public static CpuReading operator -(CpuReading a, CpuReading b) =>
        new(a.Server - b.Server, a.Postgres - b.Postgres, a.Redis - b.Redis, a.Load - b.Load, a.Machine - b.Machine);

    public static CpuReading operator /(CpuReading a, double by) =>
        new(a.Server / by, a.Postgres / by, a.Redis / by, a.Load / by, a.Machine / by);
}
