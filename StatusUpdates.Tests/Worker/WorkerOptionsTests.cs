using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace StatusUpdates.Tests.Worker;

public sealed class WorkerOptionsTests(TestServers servers)
{
    [Theory]
    [InlineData("Worker:Concurrency", "0", "Worker:Concurrency must be between 1 and 1000.")]
    [InlineData("Worker:Tasks:sora:Concurrency", "0", "Worker:Tasks:sora:Concurrency must be between 1 and 1000.")]
    [InlineData("Worker:UserShare", "1.5", "Worker:UserShare must be between 0.01 and 1.")]
    [InlineData("Worker:Lease", "02:00:00", "Worker:Lease must be between 00:00:00.1000000 and 01:00:00.")]
    [InlineData("Worker:GracePeriod", "-00:00:01", "Worker:GracePeriod must be between 00:00:00 and 01:00:00.")]
    [InlineData("Retention:Generations", "00:00:00", "Retention:Generations must be between 00:01:00 and 36500.00:00:00.")]
    [InlineData("Retention:Updates", "00:00:59", "Retention:Updates must be between 00:01:00 and 36500.00:00:00.")]
    [InlineData("Cursors:Slots", "0", "Cursors:Slots must be between 1 and 10000.")]
    [InlineData("Webhooks:Delivery:UserInFlight", "7", "Webhooks:Delivery:UserInFlight must be at least 8, the deliveries to one webhook.")]
    [InlineData("Worker:Concurency", "2", "Worker:Concurency is not a setting; those of Worker are Concurrency, GracePeriod,")]
    [InlineData("Worker:Tasks:Sora:Concurrency", "2", "Worker:Tasks:Sora is not a task; tasks are product_card, sora, chat_processing, image_generation.")]
    [InlineData("Worker:Tasks:sora:Limit", "2", "Worker:Tasks:sora:Limit is not a setting; those of Worker:Tasks:sora are Concurrency.")]
    [InlineData("Worker:Tasks:sora", "2", "Worker:Tasks:sora has no settings; it may have Concurrency.")]
    [InlineData("Generations:Types:poster:Tasks", "print", "Generations:Types:poster:Tasks must have at least one task")]
    [InlineData("Results:PublicBaseUrl", "ftp://example.com", "Results:PublicBaseUrl must be an absolute http or https address")]
    [InlineData("Results:PublicBaseUrl", "/results", "Results:PublicBaseUrl must be an absolute http or https address")]
    [InlineData("Results:PublicBaseUrl", "", "Results:PublicBaseUrl must be an absolute http or https address")]
    [InlineData("Results:PublicBaseUrl", "http://example.com/?a=b", "Results:PublicBaseUrl must be an absolute http or https address")]
    public async Task An_invalid_setting_prevents_the_start_with_an_error_that_names_it(string key, string value, string message)
    {
        await using var database = await servers.CreateDatabaseAsync(TestTime.Token);

        var failure = await Assert.ThrowsAnyAsync<OptionsValidationException>(async () =>
        {
            using var host = TestWorker.Build(database, null, null, (key, value));
            await host.StartAsync(TestTime.Token);
        });

        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Outside_Development_the_public_address_has_no_default()
    {
        await using var database = await servers.CreateDatabaseAsync(TestTime.Token);
        using var host = TestWorker.Build(database, null, null, Environments.Production, []);

        var failure = await Assert.ThrowsAnyAsync<OptionsValidationException>(() => host.StartAsync(TestTime.Token));

        Assert.Contains("Results:PublicBaseUrl must be an absolute http or https address", failure.Message, StringComparison.Ordinal);
    }
}
