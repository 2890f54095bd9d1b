using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;

namespace StatusUpdates.Tests.Api;

/// <summary>Further instances of an API, as one is after a restart.</summary>
internal static class AnotherInstance
{
    private static readonly string[] Shared = ["ConnectionStrings:statusdb", "ConnectionStrings:redis", "StatusMessaging:ChannelPrefix"];

    /// <summary>Starts another instance over the same database and Redis, at this address. Dispose it.</summary>
    public static async Task<WebApplication> StartAnotherAsync(this TestApi api, Uri address)
    {
        var app = TestApi.Build(
            "Development",
            builder =>
            {
                builder.WebHost.UseUrls(address.GetLeftPart(UriPartial.Authority));
                builder.Configuration.AddInMemoryCollection(TestTokens.Settings);
                builder.Configuration.AddInMemoryCollection(Shared.Select(key => KeyValuePair.Create(key, api.App.Configuration[key])));
            });
        await app.StartAsync(TestTime.Token);
        return app;
    }
}
