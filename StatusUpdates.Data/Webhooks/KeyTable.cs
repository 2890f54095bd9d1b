using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Data.Webhooks;

/// <summary>
/// Data Protection's keys in their table, by plain SQL: the library's own repository goes by EF Core, whose model is half of what a worker's or a
/// bot's start would do, and nothing else there needs it. Thread-safe. Synchronous, as the interface is; called at start and once in weeks.
/// </summary>
internal sealed class KeyTable(StatusDatabase database) : IXmlRepository
{
    /// <inheritdoc/>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public IReadOnlyCollection<XElement> GetAllElements()
    {
        using var command = database.DataSource.CreateCommand("SELECT xml FROM data_protection_keys WHERE xml IS NOT NULL ORDER BY id");
        using var reader = command.ExecuteReader();
        var elements = new List<XElement>();
        while (reader.Read())
        {
            elements.Add(XElement.Parse(reader.GetString(0)));
        }

        return elements;
    }

    /// <inheritdoc/>
    /// <exception cref="NpgsqlException">The database did not take it.</exception>
    public void StoreElement(XElement element, string friendlyName)
    {
        using var command = new NpgsqlCommand("INSERT INTO data_protection_keys (friendly_name, xml) VALUES ($1, $2)");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = friendlyName });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = element.ToString(SaveOptions.DisableFormatting) });
        database.Write(command);
    }
}
