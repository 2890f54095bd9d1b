using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace StatusUpdates.Data.Migrations
{
    /// <inheritdoc />
    public partial class Initial : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "content_removals",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    due_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_content_removals", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "data_protection_keys",
                columns: table => new
                {
                    id = table.Column<int>(type: "integer", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    friendly_name = table.Column<string>(type: "text", nullable: true),
                    xml = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_data_protection_keys", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "durable_cursors",
                columns: table => new
                {
                    owner = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    kind = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    last_seq = table.Column<long>(type: "bigint", nullable: false),
                    last_check = table.Column<int>(type: "integer", nullable: true),
                    state = table.Column<string>(type: "jsonb", nullable: true),
                    paused = table.Column<bool>(type: "boolean", nullable: false),
                    troubled = table.Column<bool>(type: "boolean", nullable: false),
                    not_before = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    due_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    epoch = table.Column<long>(type: "bigint", nullable: false),
                    claimed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    nudges = table.Column<long>(type: "bigint", nullable: false),
                    lease_expires_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_durable_cursors", x => x.owner);
                });

            migrationBuilder.CreateTable(
                name: "generation_counts",
                columns: table => new
                {
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    type = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    status = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    count = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_generation_counts", x => new { x.user_id, x.type, x.status });
                });

            migrationBuilder.CreateTable(
                name: "generation_results",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    generation_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    content_type = table.Column<string>(type: "text", nullable: false),
                    size = table.Column<long>(type: "bigint", nullable: false),
                    bytes = table.Column<byte[]>(type: "bytea", nullable: true),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_generation_results", x => x.id);
                    table.CheckConstraint("ck_generation_results_bytes", "bytes IS NULL OR octet_length(bytes) = size AND size <= 262144");
                });

            migrationBuilder.CreateTable(
                name: "generations",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    type = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    task = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    status = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    seq = table.Column<long>(type: "bigint", nullable: false),
                    first_seq = table.Column<long>(type: "bigint", nullable: false),
                    prompt = table.Column<string>(type: "text", nullable: false),
                    options = table.Column<string>(type: "jsonb", nullable: true),
                    result_urls = table.Column<string[]>(type: "text[]", nullable: true),
                    tokens_used = table.Column<long>(type: "bigint", nullable: true),
                    error_message = table.Column<string>(type: "text", nullable: true),
                    progress = table.Column<int>(type: "integer", nullable: true),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    updated_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    started_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    completed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    run_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    failures = table.Column<int>(type: "integer", nullable: false),
                    lease_owner = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    lease_expires_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    cancel_requested_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    deadline = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    idempotency_key = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    request_hash = table.Column<byte[]>(type: "bytea", nullable: true),
                    last_update_id = table.Column<Guid>(type: "uuid", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_generations", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "status_events",
                columns: table => new
                {
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    seq = table.Column<long>(type: "bigint", nullable: false),
                    generation_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    type = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    status = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    occurred_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    metadata = table.Column<string>(type: "jsonb", nullable: true),
                    update_id = table.Column<Guid>(type: "uuid", nullable: false),
                    traceparent = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_status_events", x => new { x.user_id, x.seq });
                });

            migrationBuilder.CreateTable(
                name: "telegram_link_codes",
                columns: table => new
                {
                    hash = table.Column<byte[]>(type: "bytea", nullable: false),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    expires_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_telegram_link_codes", x => x.hash);
                });

            migrationBuilder.CreateTable(
                name: "telegram_links",
                columns: table => new
                {
                    chat_id = table.Column<long>(type: "bigint", nullable: false),
                    bot_id = table.Column<long>(type: "bigint", nullable: false),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    chat_name = table.Column<string>(type: "text", nullable: true),
                    topic_id = table.Column<int>(type: "integer", nullable: true),
                    linked_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_telegram_links", x => x.chat_id);
                });

            migrationBuilder.CreateTable(
                name: "telegram_messages",
                columns: table => new
                {
                    chat_id = table.Column<long>(type: "bigint", nullable: false),
                    generation_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    message_id = table.Column<int>(type: "integer", nullable: false),
                    status = table.Column<string>(type: "text", nullable: false),
                    updated_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_telegram_messages", x => new { x.chat_id, x.generation_id });
                });

            migrationBuilder.CreateTable(
                name: "tickets",
                columns: table => new
                {
                    hash = table.Column<byte[]>(type: "bytea", nullable: false),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    token_issued_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    token_expires_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    expires_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_tickets", x => x.hash);
                });

            migrationBuilder.CreateTable(
                name: "user_streams",
                columns: table => new
                {
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    last_seq = table.Column<long>(type: "bigint", nullable: false),
                    oldest_seq = table.Column<long>(type: "bigint", nullable: false),
                    last_check = table.Column<int>(type: "integer", nullable: false),
                    after_check = table.Column<int>(type: "integer", nullable: true),
                    trimmed_seq = table.Column<long>(type: "bigint", nullable: true),
                    trimmed_check = table.Column<int>(type: "integer", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_user_streams", x => x.user_id);
                });

            migrationBuilder.CreateTable(
                name: "webhook_deliveries",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    webhook_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    seq = table.Column<long>(type: "bigint", nullable: true),
                    generation_id = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    message_id = table.Column<string>(type: "text", nullable: false),
                    type = table.Column<string>(type: "text", nullable: false),
                    body = table.Column<string>(type: "text", nullable: true),
                    state = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    next_attempt_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    last_attempt_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    status_code = table.Column<int>(type: "integer", nullable: true),
                    attempts = table.Column<string>(type: "jsonb", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_webhook_deliveries", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "webhooks",
                columns: table => new
                {
                    id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    user_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    url = table.Column<string>(type: "text", nullable: false),
                    description = table.Column<string>(type: "text", nullable: true),
                    statuses = table.Column<string[]>(type: "text[]", nullable: true),
                    types = table.Column<string[]>(type: "text[]", nullable: true),
                    signing_keys = table.Column<byte[]>(type: "bytea", nullable: false),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    updated_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    disabled_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    disabled_reason = table.Column<string>(type: "text", nullable: true),
                    failing_since = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true),
                    last_success_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("pk_webhooks", x => x.id);
                });

            migrationBuilder.CreateIndex(
                name: "ix_content_removals_due_at_id",
                table: "content_removals",
                columns: new[] { "due_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_durable_cursors_kind_user_id",
                table: "durable_cursors",
                columns: new[] { "kind", "user_id" });

            migrationBuilder.CreateIndex(
                name: "ix_generation_results_generation_id",
                table: "generation_results",
                column: "generation_id");

            migrationBuilder.CreateIndex(
                name: "ix_generations_arrived",
                table: "generations",
                columns: new[] { "task", "run_at" },
                filter: "status = 'pending' AND attempt >= 0");

            migrationBuilder.CreateIndex(
                name: "ix_generations_completed_at",
                table: "generations",
                column: "completed_at",
                filter: "completed_at IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_generations_due",
                table: "generations",
                columns: new[] { "task", "user_id", "run_at", "id" },
                filter: "status = 'pending'");

            migrationBuilder.CreateIndex(
                name: "ix_generations_overdue",
                table: "generations",
                columns: new[] { "deadline", "id" },
                filter: "status = 'pending' AND deadline IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_generations_running",
                table: "generations",
                column: "run_at",
                filter: "status = 'processing' AND attempt >= 0");

            migrationBuilder.CreateIndex(
                name: "ix_generations_user_id_created_at_id",
                table: "generations",
                columns: new[] { "user_id", "created_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_generations_user_id_idempotency_key",
                table: "generations",
                columns: new[] { "user_id", "idempotency_key" },
                unique: true,
                filter: "idempotency_key IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_generations_user_id_status_type_created_at_id",
                table: "generations",
                columns: new[] { "user_id", "status", "type", "created_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_status_events_generation_id_seq",
                table: "status_events",
                columns: new[] { "generation_id", "seq" });

            migrationBuilder.CreateIndex(
                name: "ix_status_events_update_id",
                table: "status_events",
                column: "update_id",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_telegram_link_codes_expires_at",
                table: "telegram_link_codes",
                column: "expires_at");

            migrationBuilder.CreateIndex(
                name: "ix_telegram_links_user_id",
                table: "telegram_links",
                column: "user_id");

            migrationBuilder.CreateIndex(
                name: "ix_telegram_messages_updated_at",
                table: "telegram_messages",
                column: "updated_at");

            migrationBuilder.CreateIndex(
                name: "ix_tickets_expires_at",
                table: "tickets",
                column: "expires_at");

            migrationBuilder.CreateIndex(
                name: "ix_webhook_deliveries_created_at",
                table: "webhook_deliveries",
                column: "created_at");

            migrationBuilder.CreateIndex(
                name: "ix_webhook_deliveries_pending",
                table: "webhook_deliveries",
                columns: new[] { "webhook_id", "generation_id", "seq" },
                filter: "state = 'pending'");

            migrationBuilder.CreateIndex(
                name: "ix_webhook_deliveries_webhook_id_id",
                table: "webhook_deliveries",
                columns: new[] { "webhook_id", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_webhook_deliveries_webhook_id_seq",
                table: "webhook_deliveries",
                columns: new[] { "webhook_id", "seq" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_webhook_deliveries_webhook_id_state_id",
                table: "webhook_deliveries",
                columns: new[] { "webhook_id", "state", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_webhooks_user_id_id",
                table: "webhooks",
                columns: new[] { "user_id", "id" });

            // One row: the secret of all services that share this database. The first service that finds none creates it.
            migrationBuilder.Sql("CREATE TABLE message_key (is_it boolean PRIMARY KEY DEFAULT true CHECK (is_it), key bytea NOT NULL);");

            // The same as LogPosition.CheckOf: the last 32 bits.
            migrationBuilder.Sql(
                """
                CREATE FUNCTION log_check(update_id uuid) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
                RETURN ('x' || right(update_id::text, 8))::bit(32)::integer;
                """);

            // Images and videos are compressed already, and pieces of values that are not compressed can be read alone.
            migrationBuilder.Sql("ALTER TABLE generation_results ALTER COLUMN bytes SET STORAGE EXTERNAL;");

            // Settings at which the sizes stay constant under a steady load. An update in place needs free space on its page: in generations for each
            // progress update, in the small hot tables for each write. Vacuum starts after a number of dead rows, not after a fifth of the table; in the
            // log, which is appended to and trimmed at its old end, also after inserts, so that rows are frozen in time.
            migrationBuilder.Sql(
                """
                ALTER TABLE generations SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
                    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
                ALTER TABLE status_events SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
                    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 20000,
                    autovacuum_analyze_scale_factor = 0.05);
                ALTER TABLE user_streams SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
                ALTER TABLE generation_counts SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);
                ALTER TABLE generation_results SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200,
                    toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_threshold = 5000);
                ALTER TABLE durable_cursors SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
                ALTER TABLE webhook_deliveries SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("DROP FUNCTION log_check(uuid);");
            migrationBuilder.DropTable(
                name: "message_key");

            migrationBuilder.DropTable(
                name: "content_removals");

            migrationBuilder.DropTable(
                name: "data_protection_keys");

            migrationBuilder.DropTable(
                name: "durable_cursors");

            migrationBuilder.DropTable(
                name: "generation_counts");

            migrationBuilder.DropTable(
                name: "generation_results");

            migrationBuilder.DropTable(
                name: "generations");

            migrationBuilder.DropTable(
                name: "status_events");

            migrationBuilder.DropTable(
                name: "telegram_link_codes");

            migrationBuilder.DropTable(
                name: "telegram_links");

            migrationBuilder.DropTable(
                name: "telegram_messages");

            migrationBuilder.DropTable(
                name: "tickets");

            migrationBuilder.DropTable(
                name: "user_streams");

            migrationBuilder.DropTable(
                name: "webhook_deliveries");

            migrationBuilder.DropTable(
                name: "webhooks");
        }
    }
}
