using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Data.Types;

/// <summary>Registers the types of generations.</summary>
public static class TypeServices
{
    /// <summary>Adds <see cref="GenerationTypes"/>: the default types and those of the section <c>Generations:Types</c>, checked at start.</summary>
    public static void AddGenerationTypes(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSectionOptions<TypesOptions>(TypesOptions.SectionName);
        builder.Services.AddSingleton(services => services.GetRequiredService<IOptions<TypesOptions>>().Value.ToRegistry());
    }
}
