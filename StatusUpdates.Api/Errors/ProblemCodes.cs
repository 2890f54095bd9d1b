namespace StatusUpdates.Api.Errors;

/// <summary>The stable codes of problems. A code is never renamed: clients switch on it.</summary>
internal static class ProblemCodes
{
    public static readonly ProblemCode InvalidRequest = new(StatusCodes.Status400BadRequest, "invalid_request");
    public static readonly ProblemCode Unauthorized = new(StatusCodes.Status401Unauthorized, "unauthorized");
    public static readonly ProblemCode InvalidToken = new(StatusCodes.Status401Unauthorized, "invalid_token");
    public static readonly ProblemCode InvalidTicket = new(StatusCodes.Status401Unauthorized, "invalid_ticket");
    public static readonly ProblemCode Forbidden = new(StatusCodes.Status403Forbidden, "forbidden");
    public static readonly ProblemCode NotFound = new(StatusCodes.Status404NotFound, "not_found");
    public static readonly ProblemCode MethodNotAllowed = new(StatusCodes.Status405MethodNotAllowed, "method_not_allowed");
    public static readonly ProblemCode RequestTimeout = new(StatusCodes.Status408RequestTimeout, "request_timeout");
    public static readonly ProblemCode GenerationTerminal = new(StatusCodes.Status409Conflict, "generation_terminal");
    public static readonly ProblemCode StaleAttempt = new(StatusCodes.Status409Conflict, "stale_attempt");
    public static readonly ProblemCode DeadlinePassed = new(StatusCodes.Status409Conflict, "deadline_passed");
    public static readonly ProblemCode TooManyLinkCodes = new(StatusCodes.Status409Conflict, "too_many_link_codes");
    public static readonly ProblemCode TooManyChats = new(StatusCodes.Status409Conflict, "too_many_chats");
    public static readonly ProblemCode BodyTooLarge = new(StatusCodes.Status413PayloadTooLarge, "body_too_large");
    public static readonly ProblemCode UnsupportedMediaType = new(StatusCodes.Status415UnsupportedMediaType, "unsupported_media_type");
    public static readonly ProblemCode IdempotencyKeyReused = new(StatusCodes.Status422UnprocessableEntity, "idempotency_key_reused");
    public static readonly ProblemCode PendingLimit = new(StatusCodes.Status429TooManyRequests, "pending_limit");
    public static readonly ProblemCode StoredLimit = new(StatusCodes.Status403Forbidden, "stored_limit");
    public static readonly ProblemCode WebhookLimit = new(StatusCodes.Status409Conflict, "webhook_limit");
    public static readonly ProblemCode WebhookUrlLimit = new(StatusCodes.Status409Conflict, "webhook_url_limit");
    public static readonly ProblemCode WebhookUnproven = new(StatusCodes.Status409Conflict, "webhook_unproven");
    public static readonly ProblemCode WebhookDisabled = new(StatusCodes.Status409Conflict, "webhook_disabled");
    public static readonly ProblemCode DeliveryPending = new(StatusCodes.Status409Conflict, "delivery_pending");
    public static readonly ProblemCode TooManyPending = new(StatusCodes.Status409Conflict, "too_many_pending");
    public static readonly ProblemCode UpdatesGone = new(StatusCodes.Status409Conflict, "updates_gone");
    public static readonly ProblemCode StreamEnded = new(StatusCodes.Status410Gone, "stream_ended");
    public static readonly ProblemCode RateLimited = new(StatusCodes.Status429TooManyRequests, "rate_limited");
    public static readonly ProblemCode TooManyConnections = new(StatusCodes.Status429TooManyRequests, "too_many_connections");
    public static readonly ProblemCode ForeignOrigin = new(StatusCodes.Status403Forbidden, "foreign_origin");
    public static readonly ProblemCode UpgradeRequired = new(StatusCodes.Status426UpgradeRequired, "upgrade_required");
    public static readonly ProblemCode Draining = new(StatusCodes.Status503ServiceUnavailable, "draining");
    public static readonly ProblemCode InternalError = new(StatusCodes.Status500InternalServerError, "internal_error");
    public static readonly ProblemCode DatabaseUnavailable = new(StatusCodes.Status503ServiceUnavailable, "database_unavailable");
    public static readonly ProblemCode ResultUnavailable = new(StatusCodes.Status503ServiceUnavailable, "result_unavailable");
    public static readonly ProblemCode Unavailable = new(StatusCodes.Status503ServiceUnavailable, "unavailable");

    private static readonly ProblemCode[] Defaults =
        [Unauthorized, Forbidden, NotFound, MethodNotAllowed, RequestTimeout, BodyTooLarge, UnsupportedMediaType, RateLimited, Unavailable];

    /// <summary>The default code of a status, if no more specific one applies.</summary>
    public static ProblemCode Of(int status) =>
        Array.Find(Defaults, code => code.Status == status) ?? (status >= 500 ? InternalError : InvalidRequest);
}

/// <summary>What went wrong, for programs.</summary>
/// <param name="Status">The status that it is answered with.</param>
/// <param name="Name">The code.</param>
internal sealed record ProblemCode(int Status, string Name);
