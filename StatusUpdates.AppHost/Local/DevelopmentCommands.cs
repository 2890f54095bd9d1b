using System.Text.Json;
using System.Text.Json.Nodes;

namespace StatusUpdates.AppHost.Local;

/// <summary>Links and buttons in the dashboard.</summary>
internal static class DevelopmentCommands
{
    private const string DefaultUser = "user-456";

    // Type is the wire name; the prompts are what a first-time visitor of the page would write.
    private static readonly (string Type, string Title, string Prompt)[] Samples =
    [
        ("product_card", "product card", "Product card: clean"),
        ("sora", "Sora video", "A paper boat on a rainy street"),
        ("chat", "chat answer", "Why is the sky blue?"),
    ];

    /// <summary>
    /// Adds named links, a command that shows a development token, and one sample generation per type. The commands ask for a user.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithDevelopmentCommands(this IResourceBuilder<ProjectResource> api)
    {
        if (!api.ApplicationBuilder.ExecutionContext.IsRunMode)
        {
            return api;
        }

        var endpoint = api.GetEndpoint("http");
        api.WithUrlForEndpoint("http", url => url.DisplayText = "Page")
            .WithUrlForEndpoint("http", _ => new ResourceUrlAnnotation { Url = "/scalar", DisplayText = "API reference" })
            .WithUrlForEndpoint("http", _ => new ResourceUrlAnnotation { Url = "/health", DisplayText = "Health" });
        api.WithCommand(
            "dev-token",
            "Development token",
            async context =>
            {
                using var http = new HttpClient { BaseAddress = new Uri(endpoint.Url) };
                var user = UserOf(context);
                var token = await TokenAsync(http, user, context.CancellationToken);
                return CommandResults.Success($"A token of {user}, to use with Authorization: Bearer.", token, CommandResultFormat.Text, displayImmediately: true);
            },
            Options("A token that the API accepts for 12 hours, for curl and clients.", "Key"));
        foreach (var (type, title, prompt) in Samples)
        {
            api.WithCommand(
                $"sample-{type.Replace('_', '-')}",
                $"Sample {title}",
                async context =>
                {
                    using var http = new HttpClient { BaseAddress = new Uri(endpoint.Url) };
                    var user = UserOf(context);
                    http.DefaultRequestHeaders.Authorization = new("Bearer", await TokenAsync(http, user, context.CancellationToken));
                    var generation = await PostAsync(http, "/api/v1/generations", new JsonObject { ["type"] = type, ["prompt"] = prompt }, context.CancellationToken);
                    return CommandResults.Success($"Submitted {generation.GetProperty("id").GetString()}; the page shows it to {user}.");
                },
                Options($"Submits a {title}, as the page does.", "Sparkle"));
        }

        return api;
    }

    /// <summary>Adds a command that shows how to open psql on this server.</summary>
    public static IResourceBuilder<PostgresServerResource> WithPsqlCommand(this IResourceBuilder<PostgresServerResource> postgres, string database)
    {
        if (!postgres.ApplicationBuilder.ExecutionContext.IsRunMode)
        {
            return postgres;
        }

        return postgres.WithCommand(
            "psql",
            "Open psql",
            async context =>
            {
                var uri = await postgres.Resource.UriExpression.GetValueAsync(context.CancellationToken);
                return CommandResults.Success("In a terminal:", $"psql '{uri}/{database}'", CommandResultFormat.Text, displayImmediately: true);
            },
            new CommandOptions { Description = "Shows the command that opens PostgreSQL's terminal (psql) on the database.", IconName = "WindowConsole" });
    }

    private static CommandOptions Options(string description, string icon) => new()
    {
        Description = description,
        IconName = icon,
        UpdateState = context => context.ResourceSnapshot.State?.Text == KnownResourceStates.Running ? ResourceCommandState.Enabled : ResourceCommandState.Disabled,
        Arguments = [new InteractionInput { Name = "user", Label = "User", InputType = InputType.Text, Value = DefaultUser, Required = true }],
    };

    private static string UserOf(ExecuteCommandContext context) =>
        context.Arguments.FirstOrDefault(argument => argument.Name == "user")?.Value is { Length: > 0 } user ? user : DefaultUser;

    private static async Task<string> TokenAsync(HttpClient http, string user, CancellationToken cancellationToken) =>
        (await PostAsync(http, "/api/v1/dev/token", new JsonObject { ["userId"] = user }, cancellationToken)).GetProperty("token").GetString()!;

    // On failure, the exception includes the API's problem details, which explain what is wrong with the input.
    private static async Task<JsonElement> PostAsync(HttpClient http, string path, JsonObject body, CancellationToken cancellationToken)
    {
        using var content = new StringContent(body.ToJsonString(), System.Text.Encoding.UTF8, "application/json");
        using var response = await http.PostAsync(new Uri(path, UriKind.Relative), content, cancellationToken);
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        return response.IsSuccessStatusCode
            ? JsonElement.Parse(text).GetProperty("data")
            : throw new DistributedApplicationException($"The API answered {(int)response.StatusCode}: {text}");
    }
}
