using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using StatusUpdates.Api.OpenApi;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Api.Webhooks;

/// <summary>How the API's description shows the parameters that handlers read by themselves.</summary>
internal static class WebhookParameters
{
    public static ParameterDescription[] Deliveries { get; } =
    [
        new(
            ListDeliveries.State,
            "Only deliveries in this state.",
            () => new() { Type = JsonSchemaType.String, Enum = [.. DeliveryState.All.Select(name => (JsonNode)name)] }),
        new(ListDeliveries.Limit, "How many.", () => new()
        {
            Type = JsonSchemaType.Integer,
            Minimum = "1",
            Maximum = ListDeliveries.MaxLimit.ToString(CultureInfo.InvariantCulture),
            Default = ListDeliveries.DefaultLimit,
        }),
        new(ListDeliveries.Cursor, "The nextCursor of the page before.", () => new() { Type = JsonSchemaType.String }),
    ];
}
