using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace StatusUpdates.Data.Schema;

/// <summary>Lets <c>dotnet ef</c> make migrations without a host and without a database.</summary>
internal sealed class DesignTimeContextFactory : IDesignTimeDbContextFactory<StatusDbContext>
{
    public StatusDbContext CreateDbContext(string[] args)
    {
        var builder = new DbContextOptionsBuilder<StatusDbContext>();
        builder.UseNpgsql("Host=localhost").UseSnakeCaseNamingConvention();
        return new StatusDbContext(builder.Options);
    }
}
