namespace StatusUpdates.Data.Cursors;

/// <summary>A service that tells logs to those who hold no connection.</summary>
public interface ICursorConsumer
{
    /// <summary>The kind of its cursors: what their owners' ids begin with.</summary>
    string Kind { get; }

    /// <summary>
    /// Tells what comes after a cursor, and moves it as the telling is acknowledged. Called while there is something to do, by one instance of
    /// the service at a time; several cursors side by side. Ends with a save that releases the cursor. If it throws, the cursor is given back as
    /// it was stored last, and looked at again after a pause.
    /// </summary>
    /// <param name="cursor">The cursor, held until it is released or <see cref="HeldCursor.Lost"/>.</param>
    /// <param name="stopping">The service stops: finish what is under way, store it, and leave the rest to the next holder.</param>
    Task RunAsync(HeldCursor cursor, CancellationToken stopping);
}
