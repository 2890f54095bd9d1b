using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace StatusUpdates.Data.Migrations
{
    /// <inheritdoc />
    public partial class ClaimByUser : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_generations_due",
                table: "generations");

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
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_generations_due",
                table: "generations");

            migrationBuilder.DropIndex(
                name: "ix_generations_overdue",
                table: "generations");

            migrationBuilder.CreateIndex(
                name: "ix_generations_due",
                table: "generations",
                columns: new[] { "run_at", "id" },
                filter: "status = 'pending'");
        }
    }
}
