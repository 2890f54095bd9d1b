using System.Text.Json.Serialization;
using StatusUpdates.Client.Http;

namespace StatusUpdates.Client.Feeds;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Envelope<PollPage>))]
[JsonSerializable(typeof(ServerMessage))]
[JsonSerializable(typeof(AuthenticateMessage))]
internal sealed partial class FeedJsonContext : JsonSerializerContext;
