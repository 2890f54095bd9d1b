using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StatusUpdates.Data.Types;

namespace StatusUpdates.Tests.Data;

/// <summary>The registry of types, from configuration.</summary>
public sealed class GenerationTypesTests
{
    [Fact]
    public void Without_configuration_there_are_the_default_types()
    {
        var types = Create();

        Assert.Equal(["product_card", "sora", "chat"], types.Names);
        Assert.Equal(["product_card", "sora", "chat_processing", "image_generation"], types.TaskNames);
        Assert.Equal("chat_processing", types.Find("chat")!.DefaultTask);
        Assert.Equal("chat", types.TypeOf("image_generation")!.Name);
        Assert.Null(types.Find("poster"));
        Assert.Null(types.TypeOf("poster"));
    }

    [Fact]
    public void A_configured_type_is_added_and_its_default_task_comes_first()
    {
        var types = Create(
            [
                .. PosterType.Settings,
                ("Generations:Types:film:DefaultTask", "take"),
                ("Generations:Types:film:Tasks:cut:Makes:0", "video/mp4"),
                ("Generations:Types:film:Tasks:take:Title", "Take"),
            ]);

        Assert.Equal(["product_card", "sora", "chat", "film", "poster"], types.Names);
        Assert.Equal(["take", "cut"], types.Find("film")!.Tasks.Select(task => task.Name));
        Assert.Equal(("film", "cut"), (types.Find("film")!.Title, types.FindTask("cut")!.Title));
        Assert.Null(types.FindTask("take")!.Makes);
        Assert.Null(types.FindTask("take")!.Options);
        var poster = types.FindTask("print_poster")!;
        Assert.Equal(["image/"], poster.Makes);
        Assert.Equal(
            [("copies", "integer", false), ("glossy", "boolean", false), ("size", "string", true)],
            poster.Options!.Select(option => (option.Name, option.Type, option.Required)));
    }

    [Fact]
    public void A_configured_type_replaces_the_default_one_of_its_name_and_the_default_ones_can_be_left_out()
    {
        (string, string)[] chat = [("Generations:Types:chat:Tasks:talk:Makes:0", "text/")];

        Assert.Equal(["product_card", "sora", "talk"], Create(chat).TaskNames);
        Assert.Equal(["chat"], Create([.. chat, ("Generations:DefaultTypes", "false")]).Names);
    }

    [Theory]
    [InlineData("Generations:Types:Poster:Tasks:p:Makes:0", "image/", "Generations:Types:Poster is not a valid name of a type: a name has 1 to 64 lower-case letters")]
    [InlineData("Generations:Types:poster:Tasks:P-1:Makes:0", "image/", "Generations:Types:poster:Tasks:P-1 is not a valid name of a task: a name has 1 to 64")]
    [InlineData("Generations:Types:poster:Title", "Poster", "Generations:Types:poster:Tasks must have at least one task, such as Generations:Types:poster:Tasks:poster:Makes:0 = image/.")]
    [InlineData("Generations:Types:poster", "", "Generations:Types:poster has no settings; it may have DefaultTask, Tasks, Title.")]
    [InlineData("Generations:Types:poster:Tasks:p", "", "Generations:Types:poster:Tasks:p has no settings; it may have Makes, Options, Title.")]
    [InlineData("Generations:Types:poster:Tasks:p:Make:0", "image/", "Generations:Types:poster:Tasks:p:Make is not a setting; those of Generations:Types:poster:Tasks:p are Makes, Options, Title.")]
    [InlineData("Generations:Types:poster:Tasks:sora:Makes:0", "image/", "Generations:Types:poster:Tasks:sora is also a task of the type sora; a task belongs to one type.")]
    [InlineData("Generations:Types:poster:Tasks:p:Makes:0", "pictures", "Generations:Types:poster:Tasks:p:Makes:0 must be a media type or its beginning")]
    [InlineData("Generations:Types:poster:Tasks:p:Title", " ", "Generations:Types:poster:Tasks:p:Title must have 1 to 100 characters and must not be blank.")]
    [InlineData("Generations:Types:poster:Tasks:p:Options:size:Type", "text", "Generations:Types:poster:Tasks:p:Options:size:Type must be one of string, integer, number, boolean.")]
    [InlineData("Generations:Types:poster:Tasks:p:Options:si ze:Type", "string", "Generations:Types:poster:Tasks:p:Options:si ze is not a valid name of an option")]
    [InlineData("Generations:Types:poster:Tasks:p:Options:size:Min", "1", "Generations:Types:poster:Tasks:p:Options:size:Min and Max are only for the types integer and number.")]
    [InlineData("Generations:DefaultTypes", "false", "Generations:Types must have a type, because Generations:DefaultTypes is false.")]
    public void An_invalid_type_prevents_the_start_with_an_error_that_names_its_key(string key, string value, string message) =>
        AssertRefused(message, (key, value));

    [Fact]
    public void The_default_task_is_one_of_the_types_own_and_is_required_if_there_are_several()
    {
        const string Message = "Generations:Types:film:DefaultTask must be one of this type's tasks: cut, take.";
        (string, string)[] tasks = [("Generations:Types:film:Tasks:take:Makes:0", "video/"), ("Generations:Types:film:Tasks:cut:Makes:0", "video/")];

        AssertRefused(Message, tasks);
        AssertRefused(Message, [.. tasks, ("Generations:Types:film:DefaultTask", "sora")]);
    }

    [Fact]
    public void The_limits_and_values_of_an_option_fit_its_type_and_each_other()
    {
        const string Key = "Generations:Types:poster:Tasks:p:Options:n";

        AssertRefused($"{Key}:Max must not be below Min.", ($"{Key}:Type", "number"), ($"{Key}:Min", "2"), ($"{Key}:Max", "1.5"));
        AssertRefused($"{Key}:Values is only for the type string.", ($"{Key}:Type", "number"), ($"{Key}:Values:0", "1"));
    }

    [Fact]
    public void Two_configured_types_cannot_have_the_same_task() => AssertRefused(
        "Generations:Types:b:Tasks:shared is also a task of the type a; a task belongs to one type.",
        ("Generations:Types:a:Tasks:shared:Makes:0", "image/"),
        ("Generations:Types:b:Tasks:shared:Makes:0", "image/"));

    private static void AssertRefused(string message, params (string Key, string Value)[] settings)
    {
        var failure = Assert.Throws<OptionsValidationException>(() => Create(settings));
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    private static GenerationTypes Create(params (string Key, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration.AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)));
        builder.AddGenerationTypes();
        using var host = builder.Build();
        return host.Services.GetRequiredService<GenerationTypes>();
    }
}
