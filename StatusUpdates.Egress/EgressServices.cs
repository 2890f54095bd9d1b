using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace StatusUpdates.Egress;

/// <summary>Registers what calls to untrusted addresses have in common.</summary>
public static class EgressServices
{
    /// <summary>Adds <see cref="HostLookups"/>. Which addresses are allowed is each caller's own <see cref="AddressPolicy"/>.</summary>
    public static void AddEgress(this IHostApplicationBuilder builder)
    {
        builder.Services.TryAddSingleton<IHostResolver, SystemHostResolver>();
        builder.Services.TryAddSingleton<HostLookups>();
    }
}
