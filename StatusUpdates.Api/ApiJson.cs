using System.Text.Json.Serialization;
using StatusUpdates.Api.Bot;
using StatusUpdates.Api.Generations;
using StatusUpdates.Api.Json;
using StatusUpdates.Api.Security.DevTokens;
using StatusUpdates.Api.Security.Tickets;
using StatusUpdates.Api.Transports.LongPolling;
using StatusUpdates.Api.Webhooks;
using StatusUpdates.Api.Workers;
using StatusUpdates.Messaging;

namespace StatusUpdates.Api;

/// <summary>Source-generated JSON of all requests and their responses. How it is written is set in <see cref="Hosting.HttpDefaults"/>.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SubmitRequest))]
[JsonSerializable(typeof(Success<GenerationView>))]
[JsonSerializable(typeof(Success<GenerationPage>))]
[JsonSerializable(typeof(Success<HistoryPage>))]
[JsonSerializable(typeof(Success<TypeList>))]
[JsonSerializable(typeof(Success<PollPage>))]
[JsonSerializable(typeof(CreateWebhookRequest))]
[JsonSerializable(typeof(UpdateWebhookRequest))]
[JsonSerializable(typeof(RotateSecretRequest))]
[JsonSerializable(typeof(ReplayRequest))]
[JsonSerializable(typeof(Success<WebhookView>))]
[JsonSerializable(typeof(Success<WebhookList>))]
[JsonSerializable(typeof(Success<DeliveryView>))]
[JsonSerializable(typeof(Success<DeliveryPage>))]
[JsonSerializable(typeof(Success<ReplayView>))]
[JsonSerializable(typeof(Success<LinkCodeView>))]
[JsonSerializable(typeof(Success<LinkedChatList>))]
[JsonSerializable(typeof(Success<TicketView>))]
[JsonSerializable(typeof(DevTokenRequest))]
[JsonSerializable(typeof(DevWorkerTokenRequest))]
[JsonSerializable(typeof(ClaimBody))]
[JsonSerializable(typeof(HeartbeatBody))]
[JsonSerializable(typeof(UpdateBody))]
[JsonSerializable(typeof(CompleteBody))]
[JsonSerializable(typeof(FailBody))]
[JsonSerializable(typeof(ReleaseBody))]
[JsonSerializable(typeof(Success<ClaimView>))]
[JsonSerializable(typeof(Success<HeartbeatView>))]
[JsonSerializable(typeof(Success<OutcomeView>))]
[JsonSerializable(typeof(Success<UploadView>))]
[JsonSerializable(typeof(Success<DevToken>))]
internal sealed partial class ApiJsonContext : JsonSerializerContext;

internal static class ApiJson
{
    public static void AddApiJson(this IHostApplicationBuilder builder) => builder.Services.ConfigureHttpJsonOptions(
        options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, ApiJsonContext.Default));
}
