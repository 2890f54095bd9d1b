namespace StatusUpdates.Tests.Infrastructure;

internal static class HttpClients
{
    /// <summary>
    /// A client that hangs up on a stream when its answer is disposed. As it comes from the framework, it reads on for up
    /// to 2 s in the hope of the stream's end, to keep the connection: a live stream of a client that has gone elsewhere.
    /// </summary>
    public static HttpClient Create(Uri address) =>
        new(new SocketsHttpHandler { MaxResponseDrainSize = 0 }) { BaseAddress = address };
}
