namespace StatusUpdates.Data.Cursors;

/// <summary>A service that delivers logs to recipients that have no connection.</summary>
public interface ICursorConsumer
{
    /// <summary>The kind of its cursors: the prefix of their owners' ids.</summary>
    string Kind { get; }

    /// <summary>
    /// Delivers what follows a cursor, and moves the cursor as deliveries are acknowledged. Called while there is work; for each cursor by one
    /// instance of the service at a time, and for several cursors in parallel. Ends with a save that releases the cursor. If it throws, the cursor is
    /// given back as it was last stored, and run again after a pause.
    /// </summary>
    /// <param name="cursor">The cursor, held until it is released or <see cref="HeldCursor.Lost"/>.</param>
    /// <param name="stopping">The service is stopping: finish what is in progress, store it, and leave the rest to the next holder.</param>
    Task RunAsync(HeldCursor cursor, CancellationToken stopping);
}
