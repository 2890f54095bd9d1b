var builder = DistributedApplication.CreateBuilder(args);

// The log: every status update is a row here before anybody sees it. The volume keeps it over restarts.
var postgres = builder.AddPostgres("postgres").WithDataVolume();
var db = postgres.AddDatabase("statusdb");

// The hint: says that the log has grown, so that nobody needs to ask. It may lose everything at any time, hence no volume.
var redis = builder.AddRedis("redis");

// Development's tokens are signed and checked with one generated key. 64 letters and digits are 48 bytes in base64.
var jwtKey = builder.AddParameter("jwt-signing-key", new GenerateParameterDefault { MinLength = 64, Special = false }, secret: true, persist: true);

// The gateway: REST, WebSocket and the page. It waits for both servers only to start tidily; in operation it does without Redis.
var api = builder.AddProject<Projects.StatusUpdates_Api>("api")
    .WithReference(db)
    .WithReference(redis)
    .WaitFor(db)
    .WaitFor(redis)
    .WithEnvironment("Authentication__Schemes__Bearer__SigningKeys__0__Issuer", "statusupdates-dev")
    .WithEnvironment("Authentication__Schemes__Bearer__SigningKeys__0__Value", jwtKey)
    .WithEnvironment("Authentication__Schemes__Bearer__ValidIssuer", "statusupdates-dev")
    .WithEnvironment("Authentication__Schemes__Bearer__ValidAudiences__0", "statusupdates")
    .WithHttpHealthCheck("/health")
    .WithExternalHttpEndpoints();

// The processors: two, so that the loss of one is an everyday event. Results are fetched from the API, so its address goes into their URLs.
builder.AddProject<Projects.StatusUpdates_Worker>("worker")
    .WithReference(db)
    .WithReference(redis)
    .WaitFor(db)
    .WaitFor(redis)
    .WithReplicas(2)
    .WithEnvironment("Results__PublicBaseUrl", api.GetEndpoint("http"));

// The bot: tells people in Telegram. It speaks there under a token of theirs, so it is here where there is one.
var botToken = builder.Configuration["Parameters:telegram-bot-token"] is { Length: > 0 } parameter ? parameter : builder.Configuration["TELEGRAM_BOT_TOKEN"];
if (string.IsNullOrEmpty(botToken))
{
    Console.WriteLine("Telegram bot: off. Set TELEGRAM_BOT_TOKEN to a token of @BotFather to switch it on; see docs/bot.md.");
}
else
{
    var bot = builder.AddProject<Projects.StatusUpdates_Bot>("bot")
        .WithReference(db)
        .WithReference(redis)
        .WaitFor(db)
        .WaitFor(redis)
        .WithEnvironment("Telegram__Token", builder.AddParameter("telegram-bot-token", botToken, secret: true));

    // A Bot API server of one's own.
    if (builder.Configuration["TELEGRAM_BASE_URL"] is { Length: > 0 } baseUrl)
    {
        bot.WithEnvironment("Telegram__BaseUrl", baseUrl);
    }

    // With the bot's name a link code comes with the address that opens the bot.
    if (builder.Configuration["TELEGRAM_BOT_NAME"] is { Length: > 0 } botName)
    {
        api.WithEnvironment("Telegram__BotName", botName);
    }
}

await builder.Build().RunAsync();
