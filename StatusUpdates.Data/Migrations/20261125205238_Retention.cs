using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace StatusUpdates.Data.Migrations
{
    /// <inheritdoc />
    public partial class Retention : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_generations_user_id_status_created_at_id",
                table: "generations");

            migrationBuilder.DropIndex(
                name: "ix_generations_user_id_type_created_at_id",
                table: "generations");

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

            migrationBuilder.CreateIndex(
                name: "ix_generations_completed_at",
                table: "generations",
                column: "completed_at",
                filter: "completed_at IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "ix_generations_user_id_status_type_created_at_id",
                table: "generations",
                columns: new[] { "user_id", "status", "type", "created_at", "id" });

            // The indexes above hold every writer until this transaction's end, so nothing changes between the count and its use.
            migrationBuilder.Sql(
                """
                INSERT INTO generation_counts (user_id, type, status, count)
                SELECT user_id, type, status, count(*) FROM generations GROUP BY user_id, type, status;
                """);

            // Where the sizes level off under steady churn. A row that is updated where it stands needs free space on its page: a generation for
            // each progress update, a stream or a count, which is small and hot, for each of everything. Vacuum comes after so many dead rows,
            // not after a fifth of the table; of the log, which is inserted into and cut at its old end, also after inserts, to keep it frozen.
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
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql(
                """
                ALTER TABLE generations RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
                    autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor);
                ALTER TABLE status_events RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
                    autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold, autovacuum_analyze_scale_factor);
                ALTER TABLE user_streams RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
                ALTER TABLE generation_results RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
                    toast.autovacuum_vacuum_scale_factor, toast.autovacuum_vacuum_threshold);
                """);

            migrationBuilder.DropTable(
                name: "generation_counts");

            migrationBuilder.DropIndex(
                name: "ix_generations_completed_at",
                table: "generations");

            migrationBuilder.DropIndex(
                name: "ix_generations_user_id_status_type_created_at_id",
                table: "generations");

            migrationBuilder.CreateIndex(
                name: "ix_generations_user_id_status_created_at_id",
                table: "generations",
                columns: new[] { "user_id", "status", "created_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_generations_user_id_type_created_at_id",
                table: "generations",
                columns: new[] { "user_id", "type", "created_at", "id" });
        }
    }
}
