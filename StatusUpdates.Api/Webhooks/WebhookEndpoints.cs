using StatusUpdates.Api.Errors;
using StatusUpdates.Api.Hosting;
using StatusUpdates.Api.OpenApi;
using StatusUpdates.Data.Webhooks;

namespace StatusUpdates.Api.Webhooks;

/// <summary>Registering webhooks, and seeing and repeating what was delivered to them. Workers deliver.</summary>
internal static class WebhookEndpoints
{
    public const string Path = "/api/v1/webhooks";

    public static void AddWebhooks(this IHostApplicationBuilder builder)
    {
        builder.AddWebhookSecrets();
        builder.AddWebhookAddresses();
        builder.Services.AddSectionOptions<WebhookOptions, WebhookOptionsValidator>(WebhookOptions.SectionName);
        builder.Services.AddSingleton<WebhookRules>();
        builder.Services.AddSingleton<WebhookAnswers>();
        builder.Services.ConfigureHttpJsonOptions(
            options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, WebhooksJsonContext.Default));
    }

    public static void MapWebhooks(this WebApplication app)
    {
        var group = app.MapGroup(Path)
            .RequireAuthorization()
            .WithTags("Webhooks")
            .ProducesProblems(
                StatusCodes.Status401Unauthorized, StatusCodes.Status429TooManyRequests, StatusCodes.Status503ServiceUnavailable);
        group.WithRequestTimeout(HttpDefaults.PlainRequest);
        MapWebhooks(group);
        MapDeliveries(group);
    }

    private static void MapWebhooks(RouteGroupBuilder group)
    {
        group.MapPost("/", CreateWebhook.HandleAsync)
            .WithName("CreateWebhook")
            .WithSummary("Registers a webhook")
            .WithDescription("From now on the caller's updates are posted to the URL, signed by Standard Webhooks 1.0. The secret is shown in this answer only.")
            .ProducesProblems(
                StatusCodes.Status400BadRequest,
                StatusCodes.Status409Conflict,
                StatusCodes.Status413PayloadTooLarge,
                StatusCodes.Status415UnsupportedMediaType);

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
                "What is left out stays; a filter that is null lets everything pass. With enabled true, updates are delivered from where they " +
                "stopped. When it is enabled again, or gets another url, what is pending is attempted at once, from its first attempt on.")
            .ProducesProblems(
                StatusCodes.Status400BadRequest,
                StatusCodes.Status404NotFound,
                StatusCodes.Status409Conflict,
                StatusCodes.Status413PayloadTooLarge,
                StatusCodes.Status415UnsupportedMediaType);

        group.MapDelete("/{id}", DeleteWebhook.HandleAsync)
            .WithName("DeleteWebhook")
            .WithSummary("Removes a webhook")
            .ProducesProblems(StatusCodes.Status404NotFound);

        group.MapPost("/{id}/rotate-secret", RotateSecret.HandleAsync)
            .WithName("RotateWebhookSecret")
            .WithSummary("Gives a webhook a new secret")
            .WithDescription("Until the overlap is over, messages are signed with the earlier keys too. The new secret is shown in this answer only.")
            .ProducesProblems(
                StatusCodes.Status400BadRequest,
                StatusCodes.Status404NotFound,
                StatusCodes.Status413PayloadTooLarge,
                StatusCodes.Status415UnsupportedMediaType);

        group.MapPost("/{id}/test", TestWebhook.HandleAsync)
            .WithName("TestWebhook")
            .WithSummary("Sends a message of type webhook.test")
            .WithDescription("One at a time: while a test is pending there is no other one.")
            .ProducesProblems(StatusCodes.Status404NotFound, StatusCodes.Status409Conflict);
    }

    private static void MapDeliveries(RouteGroupBuilder group)
    {
        group.MapPost("/{id}/replay", ReplayRange.HandleAsync)
            .WithName("ReplayWebhook")
            .WithSummary("Delivers a range of updates again")
            .WithDescription(
                "Those that the webhook wants, with since < seq <= until; until is the webhook's position by default. Ids of messages stay the same. " +
                "Not while more than 10,000 deliveries are pending, nor before the webhook has taken a message at its present url.")
            .ProducesProblems(
                StatusCodes.Status400BadRequest,
                StatusCodes.Status404NotFound,
                StatusCodes.Status409Conflict,
                StatusCodes.Status413PayloadTooLarge,
                StatusCodes.Status415UnsupportedMediaType);

        group.MapGet("/{id}/deliveries", ListDeliveries.HandleAsync)
            .WithName("ListWebhookDeliveries")
            .WithSummary("Lists a webhook's deliveries, newest first")
            .ProducesProblems(StatusCodes.Status400BadRequest, StatusCodes.Status404NotFound)
            .DescribesParameters(WebhookParameters.Deliveries);

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
