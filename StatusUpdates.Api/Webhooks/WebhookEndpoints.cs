using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Hosting;
using StatusUpdates.Api.Queries;
using StatusUpdates.Webhooks;

namespace StatusUpdates.Api.Webhooks;

/// <summary>Manages webhooks, and lists and replays their deliveries. The workers deliver.</summary>
internal static class WebhookEndpoints
{
    public const string Path = "/api/v1/webhooks";

    public static void AddWebhooks(this IHostApplicationBuilder builder)
    {
        builder.AddWebhookRegistration();
        builder.Services.AddSingleton<WebhookRules>();
        builder.Services.AddSingleton<WebhookResponses>();
    }

    public static void MapWebhooks(this WebApplication app)
    {
        var group = app.MapPlainGroup(Path, "Webhooks");
        MapWebhooks(group);
        MapDeliveries(group);
    }

    private static void MapWebhooks(RouteGroupBuilder group)
    {
        group.MapPost("/", CreateWebhook.HandleAsync)
            .WithName("CreateWebhook")
            .WithSummary("Registers a webhook")
            .WithDescription("From now on the caller's updates are posted to the URL, signed as in Standard Webhooks 1.0. The secret is shown in this response only.")
            .ProducesBodyProblems()
            .ProducesProblems(StatusCodes.Status409Conflict);

        group.MapGet("/", GetWebhook.ListAsync)
            .WithName("ListWebhooks")
            .WithSummary("Lists the caller's webhooks, oldest first");

        group.MapGet("/{id}", GetWebhook.HandleAsync)
            .WithName("GetWebhook")
            .WithSummary("Gets a webhook")
            .ProducesProblems(StatusCodes.Status404NotFound);

        group.MapPatch("/{id}", UpdateWebhook.HandleAsync)
            .WithName("UpdateWebhook")
            .WithSummary("Changes a webhook")
            .WithDescription(
                "Omitted members stay unchanged; a filter that is null matches everything. With enabled true, updates are delivered from where they " +
                "stopped. When the webhook is enabled again or its url changes, pending deliveries are attempted at once and start again with attempt 1.")
            .ProducesBodyProblems()
            .ProducesProblems(StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);

        group.MapDelete("/{id}", DeleteWebhook.HandleAsync)
            .WithName("DeleteWebhook")
            .WithSummary("Removes a webhook")
            .ProducesProblems(StatusCodes.Status404NotFound);

        group.MapPost("/{id}/rotate-secret", RotateSecret.HandleAsync)
            .WithName("RotateWebhookSecret")
            .WithSummary("Gives a webhook a new secret")
            .WithDescription("During the overlap, messages are also signed with the earlier keys. The new secret is shown in this response only.")
            .ProducesBodyProblems()
            .ProducesProblems(StatusCodes.Status404NotFound);

        group.MapPost("/{id}/test", TestWebhook.HandleAsync)
            .WithName("TestWebhook")
            .WithSummary("Sends a message of type webhook.test")
            .WithDescription("Only one test can be pending at a time.")
            .ProducesProblems(StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
    }

    private static void MapDeliveries(RouteGroupBuilder group)
    {
        group.MapPost("/{id}/replay", ReplayRange.HandleAsync)
            .WithName("ReplayWebhook")
            .WithSummary("Delivers a range of updates again")
            .WithDescription(
                "The updates that match the webhook's filters, with since < seq <= until; until is the webhook's position by default. Message ids stay the same. " +
                "Refused while more than 10,000 deliveries are pending, and until the webhook has accepted a message at its current url.")
            .ProducesBodyProblems()
            .ProducesProblems(StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);

        group.MapGet("/{id}/deliveries", ListDeliveries.HandleAsync)
            .WithName("ListWebhookDeliveries")
            .WithSummary("Lists a webhook's deliveries, newest first")
            .ProducesProblems(StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound)
            .DescribesParameters(ListDeliveries.Query);

        group.MapGet("/{id}/deliveries/{deliveryId}", ListDeliveries.GetAsync)
            .WithName("GetWebhookDelivery")
            .WithSummary("Gets a delivery with its latest attempts")
            .ProducesProblems(StatusCodes.Status404NotFound);

        group.MapPost("/{id}/deliveries/{deliveryId}/replay", ReplayDelivery.HandleAsync)
            .WithName("ReplayWebhookDelivery")
            .WithSummary("Delivers a message again")
            .ProducesProblems(StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
    }
}
