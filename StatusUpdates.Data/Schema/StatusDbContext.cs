using Microsoft.AspNetCore.DataProtection.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using StatusUpdates.Data.Results;
using StatusUpdates.Messaging;

namespace StatusUpdates.Data.Schema;

/// <summary>The model. Plain queries go through it; hot writes are set-based SQL over the same data source.</summary>
public sealed class StatusDbContext(DbContextOptions<StatusDbContext> options) : DbContext(options), IDataProtectionKeyContext
{
    /// <summary>Generations: present state and job queue.</summary>
    public DbSet<Generation> Generations => Set<Generation>();

    /// <summary>How many generations each user has.</summary>
    public DbSet<GenerationCount> GenerationCounts => Set<GenerationCount>();

    /// <summary>The logs of all users.</summary>
    public DbSet<StatusEvent> StatusEvents => Set<StatusEvent>();

    /// <summary>The heads of all users' logs.</summary>
    public DbSet<UserStream> UserStreams => Set<UserStream>();

    /// <summary>What built-in providers rendered.</summary>
    public DbSet<GenerationResult> GenerationResults => Set<GenerationResult>();

    /// <summary>Tickets that were not used yet.</summary>
    public DbSet<Ticket> Tickets => Set<Ticket>();

    /// <summary>Positions over logs, of those who hold no connection.</summary>
    public DbSet<DurableCursorRow> DurableCursors => Set<DurableCursorRow>();

    /// <summary>Registered webhooks.</summary>
    public DbSet<Webhook> Webhooks => Set<Webhook>();

    /// <summary>What was and is to be delivered to them.</summary>
    public DbSet<WebhookDelivery> WebhookDeliveries => Set<WebhookDelivery>();

    /// <summary>Linked Telegram chats.</summary>
    public DbSet<TelegramLink> TelegramLinks => Set<TelegramLink>();

    /// <summary>Codes that were not used yet.</summary>
    public DbSet<TelegramLinkCode> TelegramLinkCodes => Set<TelegramLinkCode>();

    /// <summary>Messages that progress is written into.</summary>
    public DbSet<TelegramMessage> TelegramMessages => Set<TelegramMessage>();

    /// <summary>The keys that secrets are encrypted with.</summary>
    public DbSet<DataProtectionKey> DataProtectionKeys => Set<DataProtectionKey>();

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

        modelBuilder.Entity<GenerationCount>(counts =>
        {
            counts.ToTable("generation_counts");
            counts.HasKey(c => new { c.UserId, c.Type, c.Status });
            Bytewise(counts.Property(c => c.UserId));
        });

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
            webhooks.ToTable("webhooks");
            webhooks.HasKey(w => w.Id);
            webhooks.HasIndex(w => new { w.UserId, w.Id });
            Bytewise(webhooks.Property(w => w.Id));
            Bytewise(webhooks.Property(w => w.UserId));
        });

        modelBuilder.Entity<WebhookDelivery>(deliveries =>
        {
            deliveries.ToTable("webhook_deliveries");
            deliveries.HasKey(d => d.Id);

            // Newest first for the owner, of all states and of one; an update is delivered once, whatever becomes of the tries; and what is
            // still to be done.
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
        generations.ToTable("generations");
        generations.HasKey(g => g.Id);
        Bytewise(generations.Property(g => g.Id));
        Bytewise(generations.Property(g => g.UserId));
        generations.Property(g => g.IdempotencyKey).UseCollation("C");
        generations.Property(g => g.LeaseOwner).UseCollation("C");
        generations.Property(g => g.Options).HasColumnType("jsonb");

        // What a progress update or a heartbeat writes stands in no index, so that both stay heap-only.
        // One index for all filtered lists: a filter that names the status or the type alone merges the ordered ranges of the others.
        generations.HasIndex(g => new { g.UserId, g.CreatedAt, g.Id });
        generations.HasIndex(g => new { g.UserId, g.Status, g.Type, g.CreatedAt, g.Id });
        generations.HasIndex(g => new { g.UserId, g.IdempotencyKey }).IsUnique().HasFilter("idempotency_key IS NOT NULL");
        generations.HasIndex(g => new { g.Task, g.UserId, g.RunAt, g.Id }).HasDatabaseName("ix_generations_due").HasFilter("status = 'pending'");
        generations.HasIndex(g => new { g.Deadline, g.Id })
            .HasDatabaseName("ix_generations_overdue").HasFilter("status = 'pending' AND deadline IS NOT NULL");
        generations.HasIndex(g => g.Id).HasDatabaseName("ix_generations_running").HasFilter("status = 'processing'");

        // What retention looks for. An entry is made once, at a generation's end, and always at the index's right edge.
        generations.HasIndex(g => g.CompletedAt).HasFilter("completed_at IS NOT NULL");
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
