var builder = DistributedApplication.CreateBuilder(args);

var db = builder.AddPostgres("postgres").RunAsNativeServer().AddDatabase("appdb");
var cache = builder.AddRedis("cache").RunAsNativeServer();

builder.AddExecutable("psql", "psql", ".").WithArgs(db.Resource.UriExpression, "--command", "select version()")
    .WithReference(cache).WaitFor(db).WaitFor(cache);

builder.Build().Run();
