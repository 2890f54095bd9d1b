using System.Net.WebSockets;
using System.Text.Json;

namespace StatusUpdates.Client;

/// <summary>
/// Reads whole messages from a WebSocket, one at a time and none ahead: a reader that does not come back is felt by the server through the
/// socket's own buffers, and costs no memory here.
/// </summary>
internal sealed class MessageReader(WebSocket socket)
{
    // Above anything the server sends: batches end at 64 KiB, and a single update is bounded by what its fields may hold.
    private const int MaxBytes = 4 * 1024 * 1024;

    private byte[] _buffer = new byte[4 * 1024];
    private Task _receiving = Task.CompletedTask;

    /// <summary>The next message. Cancelling leaves the socket in order; after that only <see cref="DrainAsync"/> may be called.</summary>
    /// <exception cref="StatusUpdatesException">The server closed, with its code; or what came is not understood.</exception>
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

    /// <summary>Reads on, and throws away, until the server has closed.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        await _receiving.WaitAsync(cancellationToken).ConfigureAwait(false);
        while (socket.State == WebSocketState.CloseSent)
        {
            await socket.ReceiveAsync(_buffer.AsMemory(), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Waits for a receive that was left behind. The socket must have been closed or aborted.</summary>
    public async Task EndAsync() => await _receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    // Without the caller's token: a canceled receive aborts the socket, and there would be no closing handshake any more.
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
                ? JsonSerializer.Deserialize(utf8, ClientJsonContext.Default.ServerMessage)!
                : new() { Type = type };
        }
        catch (JsonException e)
        {
            // To connect again would bring the same once more.
            throw StatusUpdatesException.Unexpected($"The server's message is not understood at {e.Path ?? "$"}.", e);
        }
    }

    // Before anything is bound: a type that this version does not know may use the same names for something else. It mostly comes first.
    private static string? TypeOf(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw StatusUpdatesException.Unexpected("The server's message is no JSON object.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isType = reader.ValueTextEquals("type"u8);
            reader.Read();
            if (isType)
            {
                return reader.TokenType == JsonTokenType.String
                    ? reader.GetString()
                    : throw StatusUpdatesException.Unexpected("The server's message is not understood at $.type.");
            }

            reader.Skip();
        }

        return null;
    }
}
