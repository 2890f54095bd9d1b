using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace StatusUpdates.Data.Migrations
{
    /// <inheritdoc />
    public partial class LogIdentity : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // Not filled for what is there: that would hold every writer for as long as it takes. Where a column knows no check it is read from the
            // log, and every write fills it.
            migrationBuilder.AddColumn<long>(name: "check_seq", table: "user_streams", type: "bigint", nullable: true);
            migrationBuilder.AddColumn<int>(name: "last_check", table: "user_streams", type: "integer", nullable: true);
            migrationBuilder.AddColumn<int>(name: "after_check", table: "user_streams", type: "integer", nullable: true);
            migrationBuilder.AddColumn<long>(name: "trimmed_seq", table: "user_streams", type: "bigint", nullable: true);
            migrationBuilder.AddColumn<int>(name: "trimmed_check", table: "user_streams", type: "integer", nullable: true);
            migrationBuilder.AddColumn<int>(name: "last_check", table: "durable_cursors", type: "integer", nullable: true);

            // One row: the secret of whoever shares this database. Made by the first service that finds none.
            migrationBuilder.Sql("CREATE TABLE message_key (is_it boolean PRIMARY KEY DEFAULT true CHECK (is_it), key bytea NOT NULL);");

            // As LogPosition.CheckOf: the last 32 bits.
            migrationBuilder.Sql(
                """
                CREATE FUNCTION log_check(update_id uuid) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
                RETURN ('x' || right(update_id::text, 8))::bit(32)::integer;
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("DROP TABLE message_key;");
            migrationBuilder.Sql("DROP FUNCTION log_check(uuid);");
            migrationBuilder.DropColumn(name: "last_check", table: "durable_cursors");
            migrationBuilder.DropColumn(name: "trimmed_check", table: "user_streams");
            migrationBuilder.DropColumn(name: "trimmed_seq", table: "user_streams");
            migrationBuilder.DropColumn(name: "after_check", table: "user_streams");
            migrationBuilder.DropColumn(name: "last_check", table: "user_streams");
            migrationBuilder.DropColumn(name: "check_seq", table: "user_streams");
        }
    }
}
