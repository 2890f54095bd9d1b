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

await builder.Build().RunAsync();
