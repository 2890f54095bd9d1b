using StatusUpdates.AppHost.Local;

FailedStart.Explain();
var builder = DistributedApplication.CreateBuilder(args);
builder.AddLocalRun();
var isPublishing = builder.ExecutionContext.IsPublishMode;

// The log: every status update is a row here before any client receives it. When published, it is a container with a volume, or an external server
// (Database=managed), whose connection string is a parameter. The first service to migrate creates the database if the server does not have it.
IResourceBuilder<IResourceWithConnectionString> db;
if (isPublishing && builder.GetChoice("Database", "container", "managed") == "managed")
{
    db = builder.AddConnectionString("statusdb");
}
else
{
    var postgres = builder.AddPostgres("postgres").WithDataVolume("statusupdates-postgres").RunAsNativeServer().WithPsqlCommand("statusdb");
    db = postgres.AddDatabase("statusdb");
    if (isPublishing)
    {
        postgres.WithEnvironment("POSTGRES_DB", "statusdb");
    }
}

// Hints: Redis messages that the log has grown, which save polling. Redis may lose everything at any time, hence no volume.
var redis = builder.AddRedis("redis").RunAsNativeServer();

// The gateway: REST, WebSocket and the web page.
var api = builder.AddProject<Projects.StatusUpdates_Api>("api").WithServers(db, redis).WithTypes().WithProbes().WithExternalHttpEndpoints()
    .WithDevelopmentCommands().WithQuickStop(("Gateway__Connections__DrainTime", "00:00:00.500"));

// The workers: two, which makes the loss of one an everyday event. Results are fetched from the API, hence its public address in their URLs.
// Their providers are the samples, when published too: for real ones, name the project of your own worker here (docs/extending.md).
var worker = builder.AddProject<Projects.StatusUpdates_SampleProviders>("worker").WithServers(db, redis).WithTypes().WithProbes().WithReplicas(2)
    .WithQuickStop(("Worker__GracePeriod", "00:00:01"));

// Large results: in a folder that all services see, or, when published, in a bucket (Results=s3).
var results = builder.AddResults();
api.WithResults(results);
worker.WithResults(results);

if (isPublishing)
{
    // Tokens come from an identity provider: no signing key of our own is published.
    api.WithEnvironment("Authentication__Schemes__Bearer__Authority", builder.AddParameter("token-authority").WithDescription(
            "Address of the identity provider that signs the users' tokens (OpenID Connect), such as https://login.example.com/tenant."))
        .WithEnvironment("Authentication__Schemes__Bearer__ValidAudiences__0", builder.AddParameter("token-audience").WithDescription(
            "The audience (aud) of tokens for this API; tokens with other audiences are refused."))
        .WithEnvironment("ForwardedHeaders__KnownNetworks__0", builder.AddParameter("trusted-proxies").WithDescription(
            "Networks of the ingress in front of the API, in CIDR notation, separated by commas, such as 10.0.0.0/16: only its X-Forwarded headers are trusted."));
    var publicUrl = builder.AddParameter("public-url").WithDescription(
        "Address at which clients reach the API, such as https://status.example.com: links to results start with it.");
    api.WithEnvironment("Results__PublicBaseUrl", publicUrl);
    worker.WithEnvironment("Results__PublicBaseUrl", publicUrl);

    if (builder.GetSwitch("DataProtection:UseCertificate"))
    {
        var path = builder.AddParameter("data-protection-certificate").WithDescription(
            "Path, in the containers, of a PKCS #12 file that protects the keys that encrypt the webhooks' secrets.");
        var password = builder.AddParameter("data-protection-certificate-password", secret: true).WithDescription("Password of that file.");
        foreach (var service in new[] { api, worker })
        {
            service.WithEnvironment("DataProtection__Certificate__Path", path).WithEnvironment("DataProtection__Certificate__Password", password);
        }
    }
}
else
{
    // Development tokens are signed and validated with one generated key. 64 letters and digits are 48 bytes in base64.
    api.WithEnvironment("Authentication__Schemes__Bearer__SigningKeys__0__Issuer", "statusupdates-development")
        .WithEnvironment("Authentication__Schemes__Bearer__SigningKeys__0__Value", builder
            .AddParameter("jwt-signing-key", new GenerateParameterDefault { MinLength = 64, Special = false }, secret: true, persist: true)
            .WithDescription("Signs and validates the development tokens (base64). Generated once and stored in the user secrets."))
        .WithEnvironment("Authentication__Schemes__Bearer__ValidIssuer", "statusupdates-development")
        .WithEnvironment("Authentication__Schemes__Bearer__ValidAudiences__0", "statusupdates");
    api.WithEnvironment("Results__PublicBaseUrl", api.GetEndpoint("http"));
    worker.WithEnvironment("Results__PublicBaseUrl", api.GetEndpoint("http"));
}

// The bot: notifies users in Telegram. It needs the operator's bot token: a local run includes it if a token is set, a published model if
// Bot:Enabled is true.
if (isPublishing ? builder.GetSwitch("Bot:Enabled") : builder.HasTelegramToken())
{
    var bot = builder.AddProject<Projects.StatusUpdates_Bot>("bot").WithServers(db, redis).WithProbes().WithQuickStop()
        .WithResults(results).WithEnvironment("Telegram__Token", builder.AddTelegramToken());

    // A self-hosted Bot API server.
    if (builder.Configuration["TELEGRAM_BASE_URL"] is { Length: > 0 } baseUrl)
    {
        bot.WithEnvironment("Telegram__BaseUrl", baseUrl);
    }

    // With the bot's name, the API returns a link code together with the address that opens the bot.
    if (builder.Configuration["TELEGRAM_BOT_NAME"] is { Length: > 0 } botName)
    {
        api.WithEnvironment("Telegram__BotName", botName);
    }
}

await builder.Build().RunAsync();
