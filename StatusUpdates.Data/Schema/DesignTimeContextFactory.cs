using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace StatusUpdates.Data.Schema;

/// <summary>Lets <c>dotnet ef</c> create migrations without a host or a database.</summary>
internal sealed class DesignTimeContextFactory : IDesignTimeDbContextFactory<StatusDbContext>
{
    public StatusDbContext CreateDbContext(string[] args)
    {
        var builder = new DbContextOptionsBuilder<StatusDbContext>();
        builder.UseNpgsql("Host=localhost").UseSnakeCaseNamingConvention();
        return new StatusDbContext(builder.Options);
    }
}
