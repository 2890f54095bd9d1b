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
    [InlineData("Results:Folder", "results", "Results:Folder must be an absolute path, such as /var/lib/status-updates/results")]
    [InlineData("Results:MaxBytes", "1000", "Results:MaxBytes must be between 1048576 and 10737418240.")]
    [InlineData("Results:AllowedNetworks:0", "10.0.0.0", "Results:AllowedNetworks:0 must be a network in CIDR notation, such as 10.1.0.0/16.")]
    [InlineData("Results:S3:Bucket", "b", "Results:Folder and Results:S3:Bucket must not both be set: results are in one place.")]
    [InlineData("Results:S3:Bucket", "b", "Results:S3:Region must be set, such as eu-central-1, or Results:S3:Endpoint")]
    [InlineData("Results:S3:Region", "eu-central-1", "Results:S3:Bucket must be set, because other settings of Results:S3 are")]
    [InlineData("Results:S3:Endpoint", "minio:9000", "Results:S3:Endpoint must be an absolute http or https address without a path")]
    [InlineData("Results:S3:Endpoint", "https://minio/bucket", "Results:S3:Endpoint must be an absolute http or https address without a path")]
    [InlineData("Results:S3:AccessKey", "k", "Results:S3:AccessKey and Results:S3:SecretKey must be set together, or neither")]
    [InlineData("Results:S3:Buckets", "b", "Results:S3:Buckets is not a setting; those of Results:S3 are AccessKey, Bucket, Endpoint, Region, SecretKey.")]
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
    public async Task Outside_Development_the_public_address_and_the_place_of_results_have_no_default()
    {
        await using var database = await servers.CreateDatabaseAsync(TestTime.Token);
        using var host = TestWorker.Build(database, null, null, Environments.Production, [("Results:Folder", "")]);

        var failure = await Assert.ThrowsAnyAsync<OptionsValidationException>(() => host.StartAsync(TestTime.Token));

        Assert.Contains("Results:PublicBaseUrl must be an absolute http or https address", failure.Message, StringComparison.Ordinal);
        Assert.Contains(
            "Results:Folder or Results:S3:Bucket must be set: the place of results larger than 256 KiB, the same for API, worker and bot",
            failure.Message,
            StringComparison.Ordinal);
    }
}
