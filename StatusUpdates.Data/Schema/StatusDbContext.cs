using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Schema;

/// <summary>The EF Core model. Simple queries use it; hot writes are set-based SQL over the same data source.</summary>
public sealed class StatusDbContext(DbContextOptions<StatusDbContext> options) : DbContext(options)
{
    /// <summary>Generations: current state and job queue.</summary>
    public DbSet<Generation> Generations => Set<Generation>();

    /// <summary>How many generations each user has.</summary>
    public DbSet<GenerationCount> GenerationCounts => Set<GenerationCount>();

    /// <summary>Registered webhooks.</summary>
    public DbSet<Webhook> Webhooks => Set<Webhook>();

    /// <summary>Their past and pending deliveries.</summary>
    public DbSet<WebhookDelivery> WebhookDeliveries => Set<WebhookDelivery>();

    /// <inheritdoc/>
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) =>
        configurationBuilder.Properties<GenerationStatus>().HaveConversion<StatusConverter>().UseCollation("C");

    /// <inheritdoc/>
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Generation>(ConfigureGenerations);

        modelBuilder.Entity<GenerationCount>(counts =>
        {
            counts.HasKey(c => new { c.UserId, c.Type, c.Status });
            Bytewise(counts.Property(c => c.UserId));
            Bytewise(counts.Property(c => c.Type));
        });

        modelBuilder.Entity<StatusEvent>(events =>
        {
            events.ToTable("status_events");
            events.HasKey(e => new { e.UserId, e.Seq });
            events.HasIndex(e => new { e.GenerationId, e.Seq });

            // The index for finding an update also keeps it from being in the log twice, however often its write was tried. It contains only the id,
            // which begins with the time: new entries all go to the end of the index.
            events.HasIndex(e => e.UpdateId).IsUnique();
            Bytewise(events.Property(e => e.UserId));
            Bytewise(events.Property(e => e.GenerationId));
            Bytewise(events.Property(e => e.Type));
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
                "ck_generation_results_bytes", $"bytes IS NULL OR octet_length(bytes) = size AND size <= {GenerationResult.MaxInlineBytes}"));
            results.HasIndex(r => r.GenerationId);
            Bytewise(results.Property(r => r.Id));
            Bytewise(results.Property(r => r.GenerationId));
        });

        modelBuilder.Entity<ContentRemoval>(removals =>
        {
            removals.ToTable("content_removals");
            removals.HasIndex(r => new { r.DueAt, r.Id });
            Bytewise(removals.Property(r => r.Id));
        });

        modelBuilder.Entity<Ticket>(tickets =>
        {
            tickets.ToTable("tickets");
            tickets.HasKey(t => t.Hash);
            tickets.HasIndex(t => t.ExpiresAt);
            Bytewise(tickets.Property(t => t.UserId));
        });

        modelBuilder.Entity<DurableCursorRow>(cursors =>
        {
            cursors.ToTable("durable_cursors");
            cursors.HasKey(c => c.Owner);
            cursors.HasIndex(c => new { c.Kind, c.UserId });
            Bytewise(cursors.Property(c => c.Owner));
            Bytewise(cursors.Property(c => c.Kind));
            Bytewise(cursors.Property(c => c.UserId));
            cursors.Property(c => c.State).HasColumnType("jsonb");
        });

        ConfigureWebhooks(modelBuilder);
        ConfigureTelegram(modelBuilder);
        modelBuilder.Entity<DataProtectionKey>().ToTable("data_protection_keys");
    }

    private static void ConfigureWebhooks(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Webhook>(webhooks =>
        {
            webhooks.HasIndex(w => new { w.UserId, w.Id });
            Bytewise(webhooks.Property(w => w.Id));
            Bytewise(webhooks.Property(w => w.UserId));
        });

        modelBuilder.Entity<WebhookDelivery>(deliveries =>
        {
            // For the owner's lists, newest first, of all states and of one. For uniqueness: an update is delivered once, however often that was
            // tried. And for pending deliveries.
            deliveries.HasIndex(d => new { d.WebhookId, d.Id });
            deliveries.HasIndex(d => new { d.WebhookId, d.State, d.Id });
            deliveries.HasIndex(d => new { d.WebhookId, d.Seq }).IsUnique();
            deliveries.HasIndex(d => new { d.WebhookId, d.GenerationId, d.Seq })
                .HasDatabaseName("ix_webhook_deliveries_pending").HasFilter("state = 'pending'");
            deliveries.HasIndex(d => d.CreatedAt);
            Bytewise(deliveries.Property(d => d.Id));
            Bytewise(deliveries.Property(d => d.WebhookId));
            Bytewise(deliveries.Property(d => d.GenerationId!));
            Bytewise(deliveries.Property(d => d.State));
            deliveries.Property(d => d.Attempts).HasColumnType("jsonb");
        });
    }

    private static void ConfigureTelegram(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<TelegramLink>(links =>
        {
            links.ToTable("telegram_links");
            links.HasKey(l => l.ChatId);
            links.Property(l => l.ChatId).ValueGeneratedNever();
            links.HasIndex(l => l.UserId);
            Bytewise(links.Property(l => l.UserId));
        });

        modelBuilder.Entity<TelegramLinkCode>(codes =>
        {
            codes.ToTable("telegram_link_codes");
            codes.HasKey(c => c.Hash);
            codes.HasIndex(c => c.ExpiresAt);
            Bytewise(codes.Property(c => c.UserId));
        });

        modelBuilder.Entity<TelegramMessage>(messages =>
        {
            messages.ToTable("telegram_messages");
            messages.HasKey(m => new { m.ChatId, m.GenerationId });
            messages.HasIndex(m => m.UpdatedAt);
            Bytewise(messages.Property(m => m.GenerationId));
        });
    }

    private static void ConfigureGenerations(EntityTypeBuilder<Generation> generations)
    {
        Bytewise(generations.Property(g => g.Id));
        Bytewise(generations.Property(g => g.UserId));
        Bytewise(generations.Property(g => g.Type));
        Bytewise(generations.Property(g => g.Task));
        generations.Property(g => g.IdempotencyKey).UseCollation("C");
        generations.Property(g => g.LeaseOwner).UseCollation("C");
        generations.Property(g => g.Options).HasColumnType("jsonb");

        // No index contains a column that progress updates or heartbeats write, so both remain heap-only (HOT) updates.
        // One index serves all filtered lists: a filter with only a status or only a type merges the ordered ranges of the others.
        generations.HasIndex(g => new { g.UserId, g.CreatedAt, g.Id });
        generations.HasIndex(g => new { g.UserId, g.Status, g.Type, g.CreatedAt, g.Id });
        generations.HasIndex(g => new { g.UserId, g.IdempotencyKey }).IsUnique().HasFilter("idempotency_key IS NOT NULL");
        generations.HasIndex(g => new { g.Task, g.UserId, g.RunAt, g.Id }).HasDatabaseName("ix_generations_due").HasFilter("status = 'pending'");
        generations.HasIndex(g => new { g.Deadline, g.Id })
            .HasDatabaseName("ix_generations_overdue").HasFilter("status = 'pending' AND deadline IS NOT NULL");

        // By time: a claim reads what is new since the claim before, and not the dead entries that vacuum cannot remove yet.
        // The second condition is always true. No other query contains it, which keeps the planner from using these indexes for one and reading all.
        generations.HasIndex(g => new { g.Task, g.RunAt }).HasDatabaseName("ix_generations_arrived").HasFilter("status = 'pending' AND attempt >= 0");
        generations.HasIndex(g => g.RunAt).HasDatabaseName("ix_generations_running").HasFilter("status = 'processing' AND attempt >= 0");

        // For retention. An entry is added once, when a generation ends, and always at the index's right edge.
        generations.HasIndex(g => g.CompletedAt).HasFilter("completed_at IS NOT NULL");
    }

    // Ids are compared bytewise: in the same order here, in C# (ordinal) and with every platform's libc.
    private static void Bytewise(PropertyBuilder<string> property) => property.UseCollation("C");

    private sealed class StatusConverter() : ValueConverter<GenerationStatus, string>(v => v.ToWireName(), v => GenerationStatusNames.Parse(v));
}
