using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bridge.TestKit;

/// <summary>A client of the DevTools protocol: calls by number, and events, over one WebSocket.</summary>
internal sealed class DevTools : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly ClientWebSocket _socket = new();
    private readonly SemaphoreSlim _writing = new(1);
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode>> _calls = new();
    private readonly ConcurrentDictionary<string, Action<string, JsonNode>> _listeners = new();
    private Task _reading = Task.CompletedTask;
    private int _number;

    private DevTools()
    {
    }

    public static async Task<DevTools> ConnectAsync(Uri address)
    {
        var tools = new DevTools();
        using var limit = new CancellationTokenSource(Patience);
        await tools._socket.ConnectAsync(address, limit.Token);
        tools._reading = tools.ReadAsync();
        return tools;
    }

    /// <summary>Has the events of a session told: method and parameters.</summary>
    public void Listen(string session, Action<string, JsonNode> listener) => _listeners[session] = listener;

    /// <summary>Calls a method and waits for its result.</summary>
    /// <exception cref="InvalidOperationException">The browser refuses; the message holds its words.</exception>
    public async Task<JsonNode> CallAsync(string method, JsonObject? parameters = null, string? session = null)
    {
        var number = Interlocked.Increment(ref _number);
        var answer = new TaskCompletionSource<JsonNode>(TaskCreationOptions.RunContinuationsAsynchronously);
        _calls[number] = answer;
        var call = new JsonObject { ["id"] = number, ["method"] = method, ["params"] = parameters ?? [] };
        if (session is not null)
            call["sessionId"] = session;
        using var limit = new CancellationTokenSource(Patience);
        await _writing.WaitAsync(limit.Token);
        try
        {
            await _socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(call), WebSocketMessageType.Text, true, limit.Token);
        }
        finally
        {
            _writing.Release();
        }

        try
        {
            return await answer.Task.WaitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"The browser does not answer {method}.");
        }
        finally
        {
            _calls.TryRemove(number, out _);
        }
    }

    /// <summary>Asks the browser to end, which it does without an answer at times.</summary>
    public async Task TryCloseBrowserAsync()
    {
        try
        {
            await CallAsync("Browser.close");
        }
        catch (Exception exception) when (exception is WebSocketException or InvalidOperationException or TimeoutException)
        {
            // It has ended.
        }
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Abort();
        await _reading;
        _socket.Dispose();
        _writing.Dispose();
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[64 * 1024];
        using var message = new MemoryStream();
        try
        {
            while (_socket.State == WebSocketState.Open)
            {
                var part = await _socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None);
                if (part.MessageType == WebSocketMessageType.Close)
                    break;
                message.Write(buffer, 0, part.Count);
                if (!part.EndOfMessage)
                    continue;
                Take(JsonNode.Parse(message.GetBuffer().AsSpan(0, (int)message.Length))!);
                message.SetLength(0);
            }
        }
        catch (Exception exception) when (exception is WebSocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The browser has ended, or we have.
        }

        foreach (var call in _calls.Values)
            call.TrySetException(new InvalidOperationException("The browser has ended."));
    }

    private void Take(JsonNode message)
    {
        if (message["id"] is { } number)
        {
            if (!_calls.TryGetValue((int)number, out var call))
                return;
            if (message["error"] is { } error)
                call.TrySetException(new InvalidOperationException(error.ToJsonString()));
            else
                call.TrySetResult(message["result"]!.DeepClone());
        }
        else if (message["sessionId"] is { } session && _listeners.TryGetValue((string)session!, out var listener))
            listener((string)message["method"]!, message["params"]!);
    }
}
