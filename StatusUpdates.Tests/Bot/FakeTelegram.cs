using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace StatusUpdates.Tests.Bot;

/// <summary>
/// A server for the part of Telegram's Bot API that the bot uses. It keeps messages, refuses what Telegram refuses, records all requests in
/// order, and replies as a test scripts it.
/// </summary>
internal sealed class FakeTelegram : LoopbackHttpServer
{
    public const string Token = "123456789:AAF-secret_token_of_the_bot_0123456";
    public const long BotId = 123456789;
    public const string BotName = "status_test_bot";

    private const int MaxTextLength = 4096;

    private readonly Lock _lock = new();
    private readonly List<FakeCall> _calls = [];
    private readonly Dictionary<(long Chat, int Message), string> _messages = [];
    private readonly List<(Func<FakeCall, bool> When, FakeReply Reply)> _script = [];
    private readonly Dictionary<long, long> _migrated = [];
    private readonly FakeUpdates _updates = new();
    private readonly FakeForums _forums = new();
    private int _lastMessage;

    /// <summary>All requests except <c>getUpdates</c> and <c>getMe</c>, in order of arrival.</summary>
    public IReadOnlyList<FakeCall> Calls
    {
        get
        {
            lock (_lock)
            {
                return [.. _calls];
            }
        }
    }

    /// <summary>How often updates were requested.</summary>
    public int Polls => _updates.Polls;

    public static Task<FakeTelegram> StartAsync() => StartAsync(new FakeTelegram());

    /// <summary>The next request that satisfies <paramref name="when"/> gets this reply, once.</summary>
    public void Next(FakeReply reply, Func<FakeCall, bool>? when = null)
    {
        lock (_lock)
        {
            _script.Add((when ?? (_ => true), reply));
        }
    }

    /// <summary>Chooses the reply to every request without a <see cref="Next"/> reply; null handles it normally.</summary>
    public Func<FakeCall, FakeReply?>? Always { get; set; }

    /// <summary>A message to the bot.</summary>
    /// <returns>The update's id.</returns>
    public int Say(long chatId, string text, string? user = "alice") => _updates.Add(id => new JsonObject
    {
        ["update_id"] = id,
        ["message"] = new JsonObject
        {
            ["message_id"] = id,
            ["date"] = 1_700_000_000,
            ["chat"] = chatId < 0
                ? new JsonObject { ["id"] = chatId, ["type"] = "group", ["title"] = "A group" }
                : new JsonObject { ["id"] = chatId, ["type"] = "private", ["first_name"] = "Alice", ["username"] = user },
            ["text"] = text,
        },
    });

    /// <summary>A message to the bot in a topic of a group; 0 for General.</summary>
    public int SayInTopic(long chatId, int topicId, string text)
    {
        _forums.Open(chatId, topicId);
        var message = new JsonObject
        {
            ["message_id"] = 1,
            ["date"] = 1_700_000_000,
            ["chat"] = new JsonObject { ["id"] = chatId, ["type"] = "supergroup", ["title"] = "A forum", ["is_forum"] = true },
            ["text"] = text,
        };
        if (topicId != 0)
        {
            message["message_thread_id"] = topicId;
            message["is_topic_message"] = true;
        }

        return Say(message);
    }

    /// <summary>Closes a topic of a group; 0 for General.</summary>
    public void CloseTopic(long chatId, int topicId) => _forums.Close(chatId, topicId);

    /// <summary>Removes a topic of a group.</summary>
    public void RemoveTopic(long chatId, int topicId) => _forums.Remove(chatId, topicId);

    /// <summary>A post in a channel that the bot administers.</summary>
    public int Post(long channelId, string text) => _updates.Add(id => new JsonObject
    {
        ["update_id"] = id,
        ["channel_post"] = new JsonObject
        {
            ["message_id"] = id,
            ["date"] = 1_700_000_000,
            ["sender_chat"] = new JsonObject { ["id"] = channelId, ["type"] = "channel", ["title"] = "A channel" },
            ["chat"] = new JsonObject { ["id"] = channelId, ["type"] = "channel", ["title"] = "A channel" },
            ["text"] = text,
        },
    });

    /// <summary>An update of another kind, such as one that arrived before the bot requested certain kinds.</summary>
    public int AddUpdate(string kind, JsonObject content) => _updates.Add(id => new JsonObject { ["update_id"] = id, [kind] = content });

    /// <summary>Migrates a group to a supergroup: both chats get a message about it, and the old id is refused from now on.</summary>
    public void Migrate(long from, long to)
    {
        lock (_lock)
        {
            _migrated[from] = to;
        }

        Say(new JsonObject
        {
            ["message_id"] = 1,
            ["date"] = 1_700_000_000,
            ["chat"] = new JsonObject { ["id"] = from, ["type"] = "group", ["title"] = "A group" },
            ["migrate_to_chat_id"] = to,
        });
        Say(new JsonObject
        {
            ["message_id"] = 1,
            ["date"] = 1_700_000_000,
            ["chat"] = new JsonObject { ["id"] = to, ["type"] = "supergroup", ["title"] = "A group" },
            ["migrate_from_chat_id"] = from,
        });
    }

    /// <summary>The kinds of updates that were last requested.</summary>
    public IReadOnlyList<string>? RequestedKinds => _updates.Kinds;

    /// <summary>A message to the bot with this content, valid or not.</summary>
    public int Say(JsonObject message) => _updates.Add(id => new JsonObject { ["update_id"] = id, ["message"] = message });

    /// <summary>Delivers a confirmed update again, as after a crash before the confirmation.</summary>
    public void Redeliver(int updateId) => _updates.Redeliver(updateId);

    /// <summary>Waits for this many matching requests.</summary>
    /// <returns>All matching requests.</returns>
    public async Task<IReadOnlyList<FakeCall>> WaitForAsync(int count, Func<FakeCall, bool>? which = null)
    {
        IReadOnlyList<FakeCall> found = [];
        await Eventually.TrueAsync(() => (found = [.. Calls.Where(which ?? (_ => true))]).Count >= count);
        return found;
    }

    /// <summary>Waits until <paramref name="call"/> has been answered.</summary>
    public static Task AnsweredAsync(FakeCall call) => Eventually.TrueAsync(() => call.Answered is not null);

    /// <summary>The current text of a message.</summary>
    public string? TextOf(long chatId, int messageId)
    {
        lock (_lock)
        {
            return _messages.GetValueOrDefault((chatId, messageId));
        }
    }

    /// <summary>Removes a message, as members of its chat can.</summary>
    public void Remove(long chatId, int messageId)
    {
        lock (_lock)
        {
            _messages.Remove((chatId, messageId));
        }
    }

    protected override async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (path.Length != 2 || path[0] != $"bot{Token}")
        {
            await WriteAsync(context, 401, Error(401, "Unauthorized"));
            return;
        }

        var call = await ReadAsync(path[1], context.Request);
        if (call.Method == "getUpdates")
        {
            await _updates.AnswerAsync(context, call.Parameters);
            return;
        }

        if (call.Method == "getMe")
        {
            await WriteAsync(context, 200, Ok(new JsonObject
            {
                ["id"] = BotId,
                ["is_bot"] = true,
                ["first_name"] = "Status",
                ["username"] = BotName,
            }));
            return;
        }

        FakeReply? reply;
        lock (_lock)
        {
            _calls.Add(call);
            var at = _script.FindIndex(entry => entry.When(call));
            reply = at < 0 ? Always?.Invoke(call) : _script[at].Reply;
            if (at >= 0)
            {
                _script.RemoveAt(at);
            }
        }

        await ReplyAsync(context, call, reply);
    }

    private async Task ReplyAsync(HttpContext context, FakeCall call, FakeReply? reply)
    {
        switch (reply)
        {
            case FakeReply.Error error:
                await AnswerAsync(context, call, error.Code, Error(error.Code, error.Description, error.Parameters?.DeepClone()));
                return;

            case FakeReply.Raw raw:
                call.Answered = raw.Code;
                context.Response.StatusCode = raw.Code;
                await context.Response.WriteAsync(raw.Body);
                return;

            case FakeReply.Hang:
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return;

            case FakeReply.CloseBefore:
                context.Abort();
                return;

            case FakeReply.CloseAfter:
                Accept(call);
                context.Abort();
                return;

            case FakeReply.HeadOnly head:
                Accept(call);
                context.Response.ContentLength = 1000;
                await context.Response.WriteAsync("{\"ok\":true,");
                await context.Response.Body.FlushAsync();
                call.Answered = 200;
                if (!head.Closes)
                {
                    await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }

                // The server closes the connection, because the body is too short. An abort could arrive before what was written.
                return;

            case FakeReply.After after:
                await after.Signal;
                break;
        }

        var (code, answer) = Accept(call);
        await AnswerAsync(context, call, code, answer);
    }

    private (int Code, JsonObject Answer) Accept(FakeCall call)
    {
        lock (_lock)
        {
            if (_migrated.TryGetValue(call.ChatId, out var to))
            {
                var moved = (FakeReply.Error)FakeReply.Migrated(to);
                return (moved.Code, Error(moved.Code, moved.Description, moved.Parameters!.DeepClone()));
            }

            if (call.Method != "editMessageText" && _forums.ErrorOf(call.ChatId, call.TopicId) is { } closed)
            {
                return (400, Error(400, closed));
            }

            var text = call.Text ?? "";
            if (call.Method is "sendMessage" or "editMessageText" && (text.Length is 0 or > MaxTextLength))
            {
                return (400, Error(400, text.Length == 0 ? "Bad Request: message text is empty" : "Bad Request: message is too long"));
            }

            if (call.Method == "editMessageText")
            {
                call.MessageId = (int)call.Parameters["message_id"]!;
                if (!_messages.TryGetValue((call.ChatId, call.MessageId), out var shown))
                {
                    return (400, Error(400, "Bad Request: message to edit not found"));
                }

                if (shown == text)
                {
                    return (400, Error(400, "Bad Request: message is not modified: specified new message content is exactly the same"));
                }
            }
            else
            {
                call.MessageId = ++_lastMessage;
            }

            call.IsAccepted = true;
            _messages[(call.ChatId, call.MessageId)] = text;
            return (200, Ok(new JsonObject
            {
                ["message_id"] = call.MessageId,
                ["date"] = 1_700_000_000,
                ["chat"] = new JsonObject { ["id"] = call.ChatId, ["type"] = call.ChatId < 0 ? "group" : "private" },
                ["text"] = text,
            }));
        }
    }

    private static async Task AnswerAsync(HttpContext context, FakeCall call, int code, JsonObject answer)
    {
        await WriteAsync(context, code, answer);
        if (!context.RequestAborted.IsCancellationRequested)
        {
            call.Answered = code;
        }
    }

    private static async Task<FakeCall> ReadAsync(string method, HttpRequest request)
    {
        if (request.HasFormContentType)
        {
            var form = await request.ReadFormAsync();
            var parameters = new JsonObject();
            foreach (var (name, value) in form)
            {
                parameters[name] = name switch
                {
                    "chat_id" => long.Parse(value!, System.Globalization.CultureInfo.InvariantCulture),
                    "message_thread_id" => int.Parse(value!, System.Globalization.CultureInfo.InvariantCulture),
                    _ => (string?)value,
                };
            }

            using var bytes = new MemoryStream();
            if (form.Files.Count > 0)
            {
                await form.Files[0].CopyToAsync(bytes);
            }

            // The reference to the upload is not a URL.
            parameters.Remove("photo");
            return new FakeCall(method, parameters) { File = bytes.ToArray(), FileName = form.Files.Count > 0 ? form.Files[0].FileName : null };
        }

        using var reader = new StreamReader(request.Body, Encoding.UTF8);
        var body = await reader.ReadToEndAsync();
        return new FakeCall(method, body.Length == 0 ? [] : JsonNode.Parse(body)!.AsObject());
    }

    internal static JsonObject Ok(JsonNode result) => new() { ["ok"] = true, ["result"] = result };

    internal static JsonObject Error(int code, string description, JsonNode? parameters = null)
    {
        var error = new JsonObject { ["ok"] = false, ["error_code"] = code, ["description"] = description };
        if (parameters is not null)
        {
            error["parameters"] = parameters;
        }

        return error;
    }

    internal static async Task WriteAsync(HttpContext context, int code, JsonObject answer)
    {
        context.Response.StatusCode = code;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(answer.ToJsonString());
        await context.Response.CompleteAsync();
    }
}
