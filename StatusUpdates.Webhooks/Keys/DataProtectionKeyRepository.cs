using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Npgsql;
using StatusUpdates.Data.Database;

namespace StatusUpdates.Webhooks.Keys;

/// <summary>
/// Stores the Data Protection keys in their table, by plain SQL: the library's own repository uses EF Core, whose model would take half of the
/// startup of a worker or a bot, where nothing else needs it. Synchronous, like the interface; called at startup and every few weeks. Thread-safe.
/// </summary>
internal sealed class DataProtectionKeyRepository(StatusDatabase database) : IXmlRepository
{
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

    /// <exception cref="NpgsqlException">The database did not execute it.</exception>
    public void StoreElement(XElement element, string friendlyName)
    {
        using var command = new NpgsqlCommand("INSERT INTO data_protection_keys (friendly_name, xml) VALUES ($1, $2)");
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = friendlyName });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = element.ToString(SaveOptions.DisableFormatting) });
        database.Write(command);
    }
}
