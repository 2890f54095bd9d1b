using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace StatusUpdates.Data.Migrations
{
    /// <inheritdoc />
    public partial class ResultPieces : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // Not compressed: then a piece of a content is read without what stands before it, and images hardly shrink anyway. What is there stays as it is.
            migrationBuilder.Sql("ALTER TABLE generation_results ALTER COLUMN bytes SET STORAGE EXTERNAL;");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("ALTER TABLE generation_results ALTER COLUMN bytes SET STORAGE EXTENDED;");
        }
    }
}
