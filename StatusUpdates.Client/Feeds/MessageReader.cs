using System.Net.WebSockets;
using System.Text.Json;

namespace StatusUpdates.Client.Feeds;

/// <summary>
/// Reads whole messages from a WebSocket, one at a time and none ahead. A slow reader costs no memory here: the socket's buffers fill up and
/// exert backpressure on the server.
/// </summary>
internal sealed class MessageReader(WebSocket socket)
{
    // More than the server ever sends: batches end at 64 KiB, and a single update is bounded by the limits of its fields.
    private const int MaxBytes = 4 * 1024 * 1024;

    private byte[] _buffer = new byte[4 * 1024];
    private Task _receiving = Task.CompletedTask;

    /// <summary>
    /// Reads the next message. Canceling leaves the socket open for a closing handshake; after that only <see cref="DrainAsync"/> may be called.
    /// </summary>
    /// <exception cref="StatusUpdatesException">The server closed the socket (with its code), or the message is invalid.</exception>
    public async ValueTask<ServerMessage> ReadAsync(CancellationToken cancellationToken)
    {
        var length = 0;
        while (true)
        {
            if (length == _buffer.Length)
            {
                Grow();
            }

            var result = await ReceiveAsync(_buffer.AsMemory(length), cancellationToken).ConfigureAwait(false);
            if (result.MessageType == WebSocketMessageType.Close)
            {
                throw Closed();
            }

            length += result.Count;
            if (result.EndOfMessage)
            {
                return Parse(_buffer.AsSpan(0, length));
            }
        }
    }

    /// <summary>Reads and discards messages until the server has closed.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        await _receiving.WaitAsync(cancellationToken).ConfigureAwait(false);
        while (socket.State == WebSocketState.CloseSent)
        {
            await socket.ReceiveAsync(_buffer.AsMemory(), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Waits for a receive that is still pending. The socket must have been closed or aborted.</summary>
    public async Task EndAsync() => await _receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    // The caller's token is not passed to the receive: a canceled receive aborts the socket, which rules out a closing handshake.
    private async ValueTask<ValueWebSocketReceiveResult> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var receiving = socket.ReceiveAsync(buffer, CancellationToken.None);
        if (receiving.IsCompleted)
        {
            return await receiving.ConfigureAwait(false);
        }

        var task = receiving.AsTask();
        _receiving = task;
        return await task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private void Grow()
    {
        if (_buffer.Length >= MaxBytes)
        {
            throw StatusUpdatesException.Unexpected($"The server sent a message of more than {MaxBytes} bytes.");
        }

        Array.Resize(ref _buffer, _buffer.Length * 2);
    }

    private StatusUpdatesException Closed()
    {
        var code = (int?)socket.CloseStatus ?? (int)WebSocketCloseStatus.Empty;
        return new($"The server closed the WebSocket: {code} {socket.CloseStatusDescription}") { CloseCode = code };
    }

    private static ServerMessage Parse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var type = TypeOf(utf8);
            return ServerMessage.HasMembers(type)
                ? JsonSerializer.Deserialize(utf8, FeedJsonContext.Default.ServerMessage)!
                : new() { Type = type };
        }
        catch (JsonException e)
        {
            // Reconnecting would only yield the same message again.
            throw StatusUpdatesException.Unexpected($"The server sent an invalid message, at {e.Path ?? "$"}.", e);
        }
    }

    // Read before anything is bound: a type that this version does not know may give the same names another meaning. Usually the first member.
    private static string? TypeOf(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw StatusUpdatesException.Unexpected("The server's message is not a JSON object.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isType = reader.ValueTextEquals("type"u8);
            reader.Read();
            if (isType)
            {
                return reader.TokenType == JsonTokenType.String
                    ? reader.GetString()
                    : throw StatusUpdatesException.Unexpected("The server sent an invalid message, at $.type.");
            }

            reader.Skip();
        }

        return null;
    }
}
