namespace StatusUpdates.Api.Errors;

/// <summary>The stable codes of problems. A code is never renamed: clients switch on it.</summary>
internal static class ProblemCodes
{
    public const string InvalidRequest = "invalid_request";
    public const string Unauthorized = "unauthorized";
    public const string InvalidToken = "invalid_token";
    public const string InvalidTicket = "invalid_ticket";
    public const string Forbidden = "forbidden";
    public const string NotFound = "not_found";
    public const string MethodNotAllowed = "method_not_allowed";
    public const string RequestTimeout = "request_timeout";
    public const string GenerationTerminal = "generation_terminal";
    public const string TooManyLinkCodes = "too_many_link_codes";
    public const string TooManyChats = "too_many_chats";
    public const string BodyTooLarge = "body_too_large";
    public const string UnsupportedMediaType = "unsupported_media_type";
    public const string IdempotencyKeyReused = "idempotency_key_reused";
    public const string PendingLimit = "pending_limit";
    public const string StoredLimit = "stored_limit";
    public const string WebhookLimit = "webhook_limit";
    public const string WebhookUrlLimit = "webhook_url_limit";
    public const string WebhookUnproven = "webhook_unproven";
    public const string WebhookDisabled = "webhook_disabled";
    public const string DeliveryPending = "delivery_pending";
    public const string TooManyPending = "too_many_pending";
    public const string UpdatesGone = "updates_gone";
    public const string StreamEnded = "stream_ended";
    public const string RateLimited = "rate_limited";
    public const string TooManyConnections = "too_many_connections";
    public const string ForeignOrigin = "foreign_origin";
    public const string UpgradeRequired = "upgrade_required";
    public const string Draining = "draining";
    public const string InternalError = "internal_error";
    public const string DatabaseUnavailable = "database_unavailable";
    public const string Unavailable = "unavailable";

    /// <summary>The default code of a status, if no more specific one applies.</summary>
    public static string Of(int status) => status switch
    {
        StatusCodes.Status401Unauthorized => Unauthorized,
        StatusCodes.Status403Forbidden => Forbidden,
        StatusCodes.Status404NotFound => NotFound,
        StatusCodes.Status405MethodNotAllowed => MethodNotAllowed,
        StatusCodes.Status408RequestTimeout => RequestTimeout,
        StatusCodes.Status413PayloadTooLarge => BodyTooLarge,
        StatusCodes.Status415UnsupportedMediaType => UnsupportedMediaType,
        StatusCodes.Status429TooManyRequests => RateLimited,
        StatusCodes.Status503ServiceUnavailable => Unavailable,
        >= 500 => InternalError,
        _ => InvalidRequest,
    };
}
