namespace StatusUpdates.Tests.Infrastructure;

internal static class HttpClients
{
    /// <summary>
    /// A client that closes a stream's connection when its response is disposed. By default, HttpClient reads on for up to
    /// 2 s, hoping to reach the end and keep the connection: the server would see a live stream of a client that has left.
    /// </summary>
    public static HttpClient Create(Uri address) =>
        new(new SocketsHttpHandler { MaxResponseDrainSize = 0 }) { BaseAddress = address };
}
