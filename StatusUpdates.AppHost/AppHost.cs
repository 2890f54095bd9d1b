using StatusUpdates.AppHost.Local;

FailedStart.Explain();
var builder = DistributedApplication.CreateBuilder(args);
builder.AddLocalRun();
var isPublishing = builder.ExecutionContext.IsPublishMode;

// The log: every status update is a row here before anybody sees it. Published, it is a container with a volume, or a server that somebody else runs
// (Database=managed): then its connection string is a parameter. Whoever migrates first creates the database where the server has none.
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

// The hint: says that the log has grown, so that nobody needs to ask. It may lose everything at any time, hence no volume.
var redis = builder.AddRedis("redis").RunAsNativeServer();

// The gateway: REST, WebSocket and the page.
var api = builder.AddProject<Projects.StatusUpdates_Api>("api").WithServers(db, redis).WithProbes().WithExternalHttpEndpoints().WithDevelopmentCommands()
    .WithQuickStop(("Gateway__Connections__DrainTime", "00:00:01"), ("Gateway__Connections__CloseTimeout", "00:00:01"));

// The processors: two, so that the loss of one is an everyday event. Results are fetched from the API, so its public address goes into their URLs.
var worker = builder.AddProject<Projects.StatusUpdates_Worker>("worker").WithServers(db, redis).WithProbes().WithReplicas(2)
    .WithQuickStop(("Worker__GracePeriod", "00:00:02"), ("Worker__StopPatience", "00:00:01"));

if (isPublishing)
{
    // Tokens are an identity provider's: no key of ours is in what is published.
    api.WithEnvironment("Authentication__Schemes__Bearer__Authority", builder.AddParameter("token-authority").WithDescription(
            "Address of the identity provider that signs the users' tokens (OpenID Connect), such as https://login.example.com/tenant."))
        .WithEnvironment("Authentication__Schemes__Bearer__ValidAudiences__0", builder.AddParameter("token-audience").WithDescription(
            "The audience (aud) that tokens for this API carry; tokens for others are refused."))
        .WithEnvironment("ForwardedHeaders__KnownNetworks__0", builder.AddParameter("trusted-proxies").WithDescription(
            "Networks of the ingress before the API, in CIDR notation, separated by commas, such as 10.0.0.0/16: only its X-Forwarded headers are believed."));
    worker.WithEnvironment("Results__PublicBaseUrl", builder.AddParameter("public-url").WithDescription(
        "Address at which clients reach the API, such as https://status.example.com: links to results begin with it."));

    if (builder.GetSwitch("DataProtection:UseCertificate"))
    {
        var path = builder.AddParameter("data-protection-certificate").WithDescription(
            "Path, in the containers, of a PKCS #12 file that encrypts the keys which webhooks' secrets are encrypted with.");
        var password = builder.AddParameter("data-protection-certificate-password", secret: true).WithDescription("Password of that file.");
        foreach (var service in new[] { api, worker })
        {
            service.WithEnvironment("DataProtection__Certificate__Path", path).WithEnvironment("DataProtection__Certificate__Password", password);
        }
    }
}
else
{
    // Development's tokens are signed and checked with one generated key. 64 letters and digits are 48 bytes in base64.
    api.WithEnvironment("Authentication__Schemes__Bearer__SigningKeys__0__Issuer", "statusupdates-dev")
        .WithEnvironment("Authentication__Schemes__Bearer__SigningKeys__0__Value", builder
            .AddParameter("jwt-signing-key", new GenerateParameterDefault { MinLength = 64, Special = false }, secret: true, persist: true)
            .WithDescription("Signs and checks the development tokens (base64). Generated once and kept in the user secrets."))
        .WithEnvironment("Authentication__Schemes__Bearer__ValidIssuer", "statusupdates-dev")
        .WithEnvironment("Authentication__Schemes__Bearer__ValidAudiences__0", "statusupdates");
    worker.WithEnvironment("Results__PublicBaseUrl", api.GetEndpoint("http"));
}

// The bot: tells people in Telegram. It speaks there under a token of theirs, so a run has it where there is one, and what is published where
// Bot:Enabled says so.
if (isPublishing ? builder.GetSwitch("Bot:Enabled") : builder.HasTelegramToken())
{
    var bot = builder.AddProject<Projects.StatusUpdates_Bot>("bot").WithServers(db, redis).WithProbes().WithQuickStop()
        .WithEnvironment("Telegram__Token", builder.AddTelegramToken());

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
