using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using StatusUpdates.Data.Results;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Schema;

/// <summary>The model. Plain queries go through it; hot writes are set-based SQL over the same data source.</summary>
public sealed class StatusDbContext(DbContextOptions<StatusDbContext> options) : DbContext(options)
{
    /// <summary>Generations: present state and job queue.</summary>
    public DbSet<Generation> Generations => Set<Generation>();

    /// <summary>The logs of all users.</summary>
    public DbSet<StatusEvent> StatusEvents => Set<StatusEvent>();

    /// <summary>The heads of all users' logs.</summary>
    public DbSet<UserStream> UserStreams => Set<UserStream>();

    /// <summary>What built-in providers rendered.</summary>
    public DbSet<GenerationResult> GenerationResults => Set<GenerationResult>();

    /// <summary>Tickets that were not used yet.</summary>
    public DbSet<Ticket> Tickets => Set<Ticket>();

    /// <inheritdoc/>
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        configurationBuilder.Properties<GenerationType>().HaveConversion<TypeConverter>().UseCollation("C");
        configurationBuilder.Properties<GenerationStatus>().HaveConversion<StatusConverter>().UseCollation("C");
        configurationBuilder.Properties<GenerationTask>().HaveConversion<TaskConverter>().UseCollation("C");
    }

    /// <inheritdoc/>
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Generation>(ConfigureGenerations);

        modelBuilder.Entity<StatusEvent>(events =>
        {
            events.ToTable("status_events");
            events.HasKey(e => new { e.UserId, e.Seq });
            events.HasIndex(e => new { e.GenerationId, e.Seq });

            // An update is in the log once, whatever becomes of the tries to write it: what finds it quickly also keeps it from coming twice.
            // By its id alone, which begins with the time: new entries all go to the index's end.
            events.HasIndex(e => e.UpdateId).IsUnique();
            Bytewise(events.Property(e => e.UserId));
            Bytewise(events.Property(e => e.GenerationId));
            events.Property(e => e.Metadata).HasColumnType("jsonb");
            events.Property(e => e.TraceParent).HasColumnName("traceparent");
        });

        modelBuilder.Entity<UserStream>(streams =>
        {
            streams.ToTable("user_streams");
            streams.HasKey(s => s.UserId);
            Bytewise(streams.Property(s => s.UserId));
        });

        modelBuilder.Entity<GenerationResult>(results =>
        {
            results.ToTable("generation_results", table => table.HasCheckConstraint(
                "ck_generation_results_bytes", $"octet_length(bytes) <= {GenerationResultStore.MaxBytes}"));
            results.HasKey(r => r.Id);
            results.HasIndex(r => r.GenerationId);
            Bytewise(results.Property(r => r.Id));
            Bytewise(results.Property(r => r.GenerationId));
        });

        modelBuilder.Entity<Ticket>(tickets =>
        {
            tickets.ToTable("tickets");
            tickets.HasKey(t => t.Hash);
            tickets.HasIndex(t => t.ExpiresAt);
            Bytewise(tickets.Property(t => t.UserId));
        });
    }

    private static void ConfigureGenerations(EntityTypeBuilder<Generation> generations)
    {
        generations.ToTable("generations");
        generations.HasKey(g => g.Id);
        Bytewise(generations.Property(g => g.Id));
        Bytewise(generations.Property(g => g.UserId));
        generations.Property(g => g.IdempotencyKey).UseCollation("C");
        generations.Property(g => g.LeaseOwner).UseCollation("C");
        generations.Property(g => g.Options).HasColumnType("jsonb");

        // What a progress update or a heartbeat writes stands in no index, so that both stay heap-only.
        generations.HasIndex(g => new { g.UserId, g.CreatedAt, g.Id });
        generations.HasIndex(g => new { g.UserId, g.Status, g.CreatedAt, g.Id });
        generations.HasIndex(g => new { g.UserId, g.Type, g.CreatedAt, g.Id });
        generations.HasIndex(g => new { g.UserId, g.IdempotencyKey }).IsUnique().HasFilter("idempotency_key IS NOT NULL");
        generations.HasIndex(g => new { g.RunAt, g.Id }).HasDatabaseName("ix_generations_due").HasFilter("status = 'pending'");
        generations.HasIndex(g => g.Id).HasDatabaseName("ix_generations_running").HasFilter("status = 'processing'");
    }

    // Ids compare bytewise: the same order here, in C# (ordinal) and on every platform's libc.
    private static void Bytewise(PropertyBuilder<string> property) => property.UseCollation("C");

    private sealed class TypeConverter() : ValueConverter<GenerationType, string>(v => v.ToWireName(), v => ParseType(v));

    private sealed class StatusConverter() : ValueConverter<GenerationStatus, string>(v => v.ToWireName(), v => ParseStatus(v));

    private sealed class TaskConverter() : ValueConverter<GenerationTask, string>(v => v.ToWireName(), v => GenerationTaskNames.Parse(v));

    private static GenerationType ParseType(string name) =>
        GenerationTypeNames.TryParse(name, out var type) ? type : throw new InvalidOperationException($"Unknown type in the database: {name}");

    private static GenerationStatus ParseStatus(string name) =>
        GenerationStatusNames.TryParse(name, out var status)
            ? status
            : throw new InvalidOperationException($"Unknown status in the database: {name}");
}
