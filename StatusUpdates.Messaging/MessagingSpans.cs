using System.Diagnostics;

namespace StatusUpdates.Messaging;

/// <summary>Span attributes for messages, following OpenTelemetry's semantic conventions for messaging.</summary>
public static class MessagingSpans
{
    /// <summary>Sets what is done with the message.</summary>
    /// <param name="span">The span. Any thread may call this before the span ends.</param>
    /// <param name="type"><c>send</c>, <c>receive</c> or <c>process</c>: the convention's values.</param>
    /// <param name="name">This system's name for the operation, such as <c>publish</c> or <c>claim</c>.</param>
    public static Activity SetMessagingOperation(this Activity span, string type, string name) => span
        .SetTag("messaging.operation.type", type)
        .SetTag("messaging.operation.name", name)

        // The attribute's name before version 1.26 of the conventions: of what we set, the only one that Aspire's dashboard uses as a span's title.
        .SetTag("messaging.operation", name);
}
