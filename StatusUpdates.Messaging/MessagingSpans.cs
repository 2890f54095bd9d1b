using System.Diagnostics;

namespace StatusUpdates.Messaging;

/// <summary>Attributes of spans about messages, by OpenTelemetry's semantic conventions for messaging.</summary>
public static class MessagingSpans
{
    /// <summary>Says what is done with the message.</summary>
    /// <param name="span">The span; any thread, before it ends.</param>
    /// <param name="type"><c>send</c>, <c>receive</c> or <c>process</c>: the convention's values.</param>
    /// <param name="name">The system's own word for it, such as <c>publish</c> or <c>claim</c>.</param>
    public static Activity SetMessagingOperation(this Activity span, string type, string name) => span
        .SetTag("messaging.operation.type", type)
        .SetTag("messaging.operation.name", name)

        // The attribute of before version 1.26 of the conventions: Aspire's dashboard titles a span by it, and by nothing of ours.
        .SetTag("messaging.operation", name);
}
