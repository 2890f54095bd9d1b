using System.Buffers;
using System.Net;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Microsoft.Extensions.Logging;

namespace StatusUpdates.ResultStore.Contents;

/// <summary>
/// Contents as objects in a bucket, with the key <c>{first two digits of the id}/{id}</c>. Small ones are put at once, others in parts; an upload
/// has one part in memory. An object appears when it is complete.
/// </summary>
internal sealed partial class S3ContentStore : IContentStore, IDisposable
{
    /// <summary>The size of a part, in bytes: 8 MiB. S3 asks for at least 5 MiB, and for at most 10,000 parts.</summary>
    public const int PartSize = 8 * 1024 * 1024;

    private const string Setting = "Results:S3";
    private const int PrefixLength = 2;

    // What cannot become right by itself.
    private static readonly string[] WrongSettings =
    [
        "NoSuchBucket", "InvalidBucketName", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed", "PermanentRedirect",
        "IllegalLocationConstraintException",
    ];

    // For sending a part and for the answer to begin: 8 MiB in this time are one Mbit/s.
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan CheckTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan CleanupTime = TimeSpan.FromSeconds(10);

    private readonly ILogger<S3ContentStore> _logger;
    private readonly string _bucket;
    private readonly AmazonS3Client _s3;

    public S3ContentStore(S3Options options, ILogger<S3ContentStore> logger)
    {
        _logger = logger;
        _bucket = options.Bucket!;

        // Checksums that a server need not know: requests are signed with the hash of what they carry.
        var config = new AmazonS3Config
        {
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            RetryMode = RequestRetryMode.Standard,
            Timeout = RequestTimeout,
        };
        if (string.IsNullOrEmpty(options.Endpoint))
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.SigningRegion);
        }
        else
        {
            // Servers other than Amazon's seldom have a host name for each bucket.
            (config.ServiceURL, config.ForcePathStyle, config.AuthenticationRegion) = (options.Endpoint, true, options.SigningRegion);
        }

        _s3 = string.IsNullOrEmpty(options.AccessKey)
            ? new AmazonS3Client(config)
            : new AmazonS3Client(new BasicAWSCredentials(options.AccessKey, options.SecretKey), config);
    }

    public string Kind => "s3";

    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(CheckTime);
        try
        {
            // A read that any service may make. Nothing is there, and a user who may not list is refused: both mean that the bucket is.
            (await _s3.GetObjectAsync(_bucket, "check", limit.Token)).Dispose();
        }
        catch (AmazonS3Exception e) when (WrongSettings.Contains(e.ErrorCode))
        {
            throw new InvalidOperationException($"{Setting}: the bucket {_bucket} cannot be used: {e.ErrorCode}, {e.Message}", e);
        }
        catch (AmazonS3Exception e) when (e.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Forbidden)
        {
        }
        catch (Exception e) when (IsOurs(e, cancellationToken))
        {
            LogUnavailable(_bucket, e.Message);
        }
    }

    public async Task WriteAsync(string id, Stream content, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(PartSize);
        var read = await ReadPartAsync(content, buffer, cancellationToken);
        if (read < PartSize)
        {
            var request = new PutObjectRequest { BucketName = _bucket, Key = KeyOf(id), InputStream = Part(buffer, read), UseChunkEncoding = false };
            await DoAsync(() => _s3.PutObjectAsync(request, cancellationToken), cancellationToken);
        }
        else
        {
            await WritePartsAsync(KeyOf(id), content, buffer, cancellationToken);
        }

        // Not after a failure, when a request may still be reading it.
        ArrayPool<byte>.Shared.Return(buffer);
    }

    public async Task<Stream?> OpenAsync(string id, long offset, long count, CancellationToken cancellationToken)
    {
        var request = new GetObjectRequest { BucketName = _bucket, Key = KeyOf(id), ByteRange = new ByteRange(offset, offset + count - 1) };
        try
        {
            return (await _s3.GetObjectAsync(request, cancellationToken)).ResponseStream;
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotFound && e.ErrorCode != "NoSuchBucket")
        {
            return null;
        }
        catch (Exception e) when (IsOurs(e, cancellationToken))
        {
            throw Failure(e);
        }
    }

    public async Task DeleteAsync(string id, CancellationToken cancellationToken)
    {
        await DoAsync(() => _s3.DeleteObjectAsync(_bucket, KeyOf(id), cancellationToken), cancellationToken);
        await DoAsync(() => AbortUploadsAsync(KeyOf(id), cancellationToken), cancellationToken);
    }

    public void Dispose() => _s3.Dispose();

    // The first part is in the buffer.
    private async Task WritePartsAsync(string key, Stream content, byte[] buffer, CancellationToken cancellationToken)
    {
        var upload = await DoAsync(() => _s3.InitiateMultipartUploadAsync(_bucket, key, cancellationToken), cancellationToken);
        try
        {
            var parts = new List<PartETag>();
            for (var read = PartSize; read > 0; read = read < PartSize ? 0 : await ReadPartAsync(content, buffer, cancellationToken))
            {
                var request = new UploadPartRequest
                {
                    BucketName = _bucket,
                    Key = key,
                    UploadId = upload.UploadId,
                    PartNumber = parts.Count + 1,
                    PartSize = read,
                    InputStream = Part(buffer, read),
                    UseChunkEncoding = false,
                };
                var part = await DoAsync(() => _s3.UploadPartAsync(request, cancellationToken), cancellationToken);
                parts.Add(new PartETag(parts.Count + 1, part.ETag));
            }

            var complete = new CompleteMultipartUploadRequest { BucketName = _bucket, Key = key, UploadId = upload.UploadId, PartETags = parts };
            await DoAsync(() => _s3.CompleteMultipartUploadAsync(complete, cancellationToken), cancellationToken);
        }
        catch
        {
            await TryAbortAsync(key, upload.UploadId);
            throw;
        }
    }

    // The failure that led here is the one to report; the rest is removed later by DeleteAsync. Even after a cancellation: the parts cost money.
    private async Task TryAbortAsync(string key, string upload)
    {
        using var limit = new CancellationTokenSource(CleanupTime);
        try
        {
            await _s3.AbortMultipartUploadAsync(_bucket, key, upload, limit.Token);
        }
        catch (Exception e) when (IsOurs(e, CancellationToken.None))
        {
        }
    }

    // Parts of uploads whose process died. A server that cannot list them, or a user who may not, needs a rule of the bucket for it.
    private async Task<bool> AbortUploadsAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            var uploads = await _s3.ListMultipartUploadsAsync(new ListMultipartUploadsRequest { BucketName = _bucket, Prefix = key }, cancellationToken);
            foreach (var upload in uploads.MultipartUploads ?? [])
            {
                await _s3.AbortMultipartUploadAsync(_bucket, upload.Key, upload.UploadId, cancellationToken);
            }

            return true;
        }
        catch (AmazonS3Exception e) when (
            e.StatusCode is HttpStatusCode.Forbidden or HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotImplemented)
        {
            return false;
        }
    }

    private static string KeyOf(string id) => $"{id[..PrefixLength]}/{id}";

    private static MemoryStream Part(byte[] buffer, int count) => new(buffer, 0, count, writable: false);

    private static async Task<int> ReadPartAsync(Stream content, byte[] buffer, CancellationToken cancellationToken) =>
        await content.ReadAtLeastAsync(buffer.AsMemory(0, PartSize), PartSize, throwOnEndOfStream: false, cancellationToken);

    private async Task<T> DoAsync<T>(Func<Task<T>> request, CancellationToken cancellationToken)
    {
        try
        {
            return await request();
        }
        catch (Exception e) when (IsOurs(e, cancellationToken))
        {
            throw Failure(e);
        }
    }

    // A request that takes too long ends with a cancellation that nobody asked for.
    private static bool IsOurs(Exception e, CancellationToken cancellationToken) =>
        e is AmazonServiceException or AmazonClientException or HttpRequestException or IOException
        || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    private ContentStoreException Failure(Exception e) =>
        new($"The bucket {_bucket}: {(e is AmazonServiceException { ErrorCode: { Length: > 0 } code } ? $"{code}, " : "")}{e.Message}", e);

    [LoggerMessage(2501, LogLevel.Warning, "The bucket {Bucket} of large results does not answer now: {Reason}")]
    private partial void LogUnavailable(string bucket, string reason);
}
