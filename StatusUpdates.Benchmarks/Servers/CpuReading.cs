namespace StatusUpdates.Benchmarks.Servers;

/// <summary>Processor time used until one moment, or between two, in seconds.</summary>
/// <param name="Server">The server under measurement.</param>
/// <param name="Postgres">PostgreSQL with all its processes.</param>
/// <param name="Redis">Redis.</param>
/// <param name="Load">This process: the writer and the clients.</param>
/// <param name="Machine">Everything on the machine, the four included; 0 where the system does not say.</param>
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
