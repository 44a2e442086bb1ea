using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;

namespace Bridge.TestKit;

/// <summary>One connection of a component to a <see cref="ScriptedXmppServer"/>.</summary>
/// <remarks>Thread-safe.</remarks>
public sealed class ScriptedConnection
{
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ReadSlot = TimeSpan.FromMilliseconds(20);

    private readonly ScriptedXmppServer _server;
    private string _component;
    private readonly Socket _socket;
    private readonly StanzaSplitter _splitter = new();
    private readonly TaskCompletionSource _established = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _readEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<(ReadOnlyMemory<byte> Bytes, long Due)> _output =
        Channel.CreateUnbounded<(ReadOnlyMemory<byte>, long)>();

    private volatile ServerScript? _script;
    private volatile bool _silent;
    private TaskCompletionSource? _paused;
    private string _streamId = "";
    private Stage _stage;
    private long _taken;
    private long _bytes;
    private int _ending;
    private StreamEnding _cause = new("end of file", null);

    internal ScriptedConnection(ScriptedXmppServer server, Socket socket, int number, ServerScript? script)
    {
        _server = server;
        _component = server.Options.Component;
        _socket = socket;
        _script = script;
        Number = number;
    }

    private enum Stage
    {
        AwaitingHeader,
        AwaitingHandshake,
        Established,
    }

    /// <summary>Its number among the server's connections, from 0.</summary>
    public int Number { get; }

    /// <summary>Completes with the handshake's answer; never, when the connection ends before.</summary>
    public Task Established => _established.Task;

    /// <summary>How it ended, whichever side did it.</summary>
    public Task<StreamEnding> Ended { get; private set; } = Task.FromResult(new StreamEnding("never started", null));

    /// <summary>Stanzas taken, barriers not counted.</summary>
    public long Taken => Interlocked.Read(ref _taken);

    /// <summary>
    /// Barriers taken, answered or not; the order of each is the number of stanzas taken before it. Empty with
    /// <see cref="ScriptedXmppServerOptions.CountsOnly"/>, and while the server's log keeps nothing.
    /// </summary>
    public StanzaLog Barriers { get; } = new();

    /// <summary>Bytes read.</summary>
    public long BytesRead => Interlocked.Read(ref _bytes);

    /// <summary>How it behaves: its own script, else the server's. Setting gives it its own.</summary>
    public ServerScript Script
    {
        get => _script ?? _server.Script;
        set => _script = value;
    }

    /// <summary>Sends bytes to the component as they are.</summary>
    public void Send(string xml) => Send(Encoding.UTF8.GetBytes(xml));

    /// <summary>Sends bytes to the component as they are, behind everything sent before.</summary>
    public void Send(ReadOnlyMemory<byte> bytes) => _output.Writer.TryWrite((bytes, 0));

    /// <summary>Sends so many stanza errors that answer nothing, each from another address and with another id.</summary>
    public void SendErrors(int count)
    {
        for (var first = 0; first < count; first += 1_000)
        {
            var errors = new StringBuilder();
            for (var i = first; i < Math.Min(first + 1_000, count); i++)
            {
                errors.Append(
                    CultureInfo.InvariantCulture,
                    $"<message type='error' id='flood-{i}' from='nobody-{i}@{_server.Options.Domain}' to='{_server.Options.Component}'>"
                    + $"<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
            }

            Send(errors.ToString());
        }
    }

    /// <summary>Reads nothing more until <see cref="ResumeReading"/>; a read under way still ends.</summary>
    public void PauseReading() => Interlocked.CompareExchange(
        ref _paused, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), null);

    /// <summary>Reads again.</summary>
    public void ResumeReading() => Interlocked.Exchange(ref _paused, null)?.TrySetResult();

    /// <summary>Misbehaves now.</summary>
    /// <param name="reaction">How.</param>
    /// <param name="condition">The condition of a stream error.</param>
    /// <param name="text">Its text.</param>
    public void React(ServerReaction reaction, string condition = "undefined-condition", string? text = null)
    {
        switch (reaction)
        {
            case ServerReaction.Silence:
                _silent = true;
                return;
            case ServerReaction.StopReading:
                _silent = true;
                PauseReading();
                return;
            default:
                if (Interlocked.Exchange(ref _ending, 1) != 0)
                    break;
                if (reaction == ServerReaction.StreamError)
                    Send(StreamError(condition, text) + "</stream:stream>");
                else if (reaction == ServerReaction.EndTag)
                    Send("</stream:stream>");
                _cause = new StreamEnding("closed here", reaction == ServerReaction.StreamError ? condition : null);
                _output.Writer.TryComplete();
                break;
        }

        if (reaction == ServerReaction.Reset)
            ResetSocket();
        ResumeReading();
    }

    private void ResetSocket()
    {
        try
        {
            _socket.LingerState = new LingerOption(true, 0);
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself in this moment.
        }

        _socket.Dispose();
    }

    internal void Start() => Ended = RunAsync();

    private static string StreamError(string condition, string? text)
    {
        const string streams = "urn:ietf:params:xml:ns:xmpp-streams";
        var words = text is null ? "" : $"<text xmlns='{streams}'>{StartTag.Escape(text)}</text>";
        return $"<stream:error><{condition} xmlns='{streams}'/>{words}</stream:error>";
    }

    private async Task<StreamEnding> RunAsync()
    {
        var writing = WriteAsync();
        try
        {
            Strikes(ServerMoment.BeforeHeader);
            await ReadAsync();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            if (Interlocked.Exchange(ref _ending, 1) == 0)
                _cause = new StreamEnding("reset", null);
        }

        _output.Writer.TryComplete();
        _readEnded.TrySetResult();
        await writing;
        return _cause;
    }

    private async Task ReadAsync()
    {
        while (true)
        {
            if (Volatile.Read(ref _paused) is { } paused)
                await paused.Task;
            while (Volatile.Read(ref _ending) == 0 && Volatile.Read(ref _paused) is null
                && _splitter.TryRead(out var kind, out var bytes))
                Take(kind, bytes);
            if (Volatile.Read(ref _paused) is not null)
                continue;

            var memory = _splitter.GetMemory();
            if (Script.ReadBytesPerSecond is { } rate)
            {
                await _server.Time.PassAsync(ReadSlot, _server.Closing);
                memory = memory[..Math.Clamp((int)(rate * ReadSlot.TotalSeconds), 1, memory.Length)];
            }

            var count = await _socket.ReceiveAsync(memory, SocketFlags.None);
            if (count == 0)
                return;
            // Once the end is decided, what still comes is read and dropped: an unread rest would turn our
            // close into a reset, and the component would not see the stream error.
            if (Volatile.Read(ref _ending) != 0)
                continue;
            Interlocked.Add(ref _bytes, count);
            _splitter.Advance(count);
        }
    }

    private async Task WriteAsync()
    {
        try
        {
            await foreach (var (bytes, due) in _output.Reader.ReadAllAsync())
            {
                var early = _server.Time.GetElapsedTime(_server.Time.GetTimestamp(), due);
                if (due != 0 && early > TimeSpan.Zero)
                    await _server.Time.PassAsync(early, _server.Closing);

                var chunk = Script.WriteChunk ?? bytes.Length;
                for (var rest = bytes; !rest.IsEmpty;)
                    rest = rest[await _socket.SendAsync(rest[..Math.Min(chunk, rest.Length)], SocketFlags.None)..];
            }

            _socket.Shutdown(SocketShutdown.Send);
            await _readEnded.Task.WaitAsync(DrainTimeout);
        }
        catch (Exception e) when (
            e is SocketException or ObjectDisposedException or TimeoutException or OperationCanceledException)
        {
            // The component broke the connection, or keeps it open behind the end: either way it ends here.
        }
        finally
        {
            _socket.Dispose();
        }
    }

    private void Take(StreamPiece kind, ReadOnlyMemory<byte> bytes)
    {
        switch (_stage)
        {
            case var _ when kind == StreamPiece.End:
                if (Interlocked.Exchange(ref _ending, 1) != 0)
                    break;
                _cause = new StreamEnding("end tag", null);
                Send("</stream:stream>");
                _output.Writer.TryComplete();
                break;
            case Stage.AwaitingHeader:
                TakeHeader(bytes.Span);
                break;
            case Stage.AwaitingHandshake:
                TakeHandshake(bytes.Span);
                break;
            case Stage.Established:
                TakeStanza(bytes);
                break;
            default:
                throw new InvalidOperationException(_stage.ToString());
        }
    }

    private void TakeHeader(ReadOnlySpan<byte> header)
    {
        _ = StartTag.TryGet(header, "to"u8, out var to);
        if (_server.Options.AnyComponent)
            _component = StartTag.Unescape(to);
        var known = StartTag.Unescape(to) == _component;
        _streamId = known ? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)) : "";
        if (!_silent)
        {
            Send(
                "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' " +
                $"xmlns='jabber:component:accept' from='{StartTag.Escape(StartTag.Unescape(to))}' id='{_streamId}'>");
        }

        _stage = Stage.AwaitingHandshake;
        if (!Strikes(ServerMoment.AfterHeader) && !known)
            React(ServerReaction.StreamError, "host-unknown");
    }

    private void TakeHandshake(ReadOnlySpan<byte> element)
    {
        if (Strikes(ServerMoment.AtHandshake) || _silent)
            return;
        var digest = $"<handshake>{Digest(_streamId + _server.Options.Secret)}</handshake>";
        if (Encoding.UTF8.GetString(element) != digest)
        {
            React(ServerReaction.StreamError, "not-authorized");
            return;
        }

        if (_server.Establish(this) is { } conflict)
        {
            React(conflict.Reaction, conflict.Condition, "Component already connected");
            return;
        }

        _stage = Stage.Established;
        Send("<handshake/>");
        _established.TrySetResult();
        Strikes(ServerMoment.AfterHandshake);
    }

    private void TakeStanza(ReadOnlyMemory<byte> bytes)
    {
        var stanza = bytes.Span;
        var isRequest = false;
        if (stanza.StartsWith("<iq"u8) && StartTag.TryGet(stanza, "to"u8, out var to)
            && StartTag.TryGet(stanza, "type"u8, out var type))
        {
            if (type.SequenceEqual("get"u8) && Is(to, _component))
            {
                TakeBarrier(stanza);
                return;
            }

            isRequest = Is(to, _server.Options.Domain)
                && (type.SequenceEqual("get"u8) || type.SequenceEqual("set"u8));
        }

        if (isRequest && stanza.IndexOf("jabber:iq:last"u8) >= 0)
        {
            AnswerUptime(new ReceivedStanza(bytes.ToArray(), 0, 0));
            return;
        }

        if (StrikesOn(bytes))
            return;
        if (IsToNobody(stanza))
        {
            Interlocked.Increment(ref _taken);
            if (!_silent)
                SendBack(new ReceivedStanza(bytes.ToArray(), 0, 0));
            return;
        }

        _server.Record(stanza, Number);
        Interlocked.Increment(ref _taken);
        if (isRequest && !_silent)
            Refuse(new ReceivedStanza(bytes.ToArray(), 0, 0));
    }

    private void TakeBarrier(ReadOnlySpan<byte> barrier)
    {
        if (!_server.Options.CountsOnly && _server.Received.Keeps)
            Barriers.Add(new ReceivedStanza(barrier.ToArray(), Taken, Stopwatch.GetTimestamp()) { Connection = Number });
        var script = Script;
        if (_silent || script.Barriers == BarrierAnswer.Silent)
            return;
        var answer = script.Barriers switch
        {
            BarrierAnswer.Reordered => Rewritten(barrier, id => id, from => from),
            BarrierAnswer.WrongId => Rewritten(barrier, _ => "never-sent", from => from),
            BarrierAnswer.Forged => Rewritten(barrier, id => id, _ => $"mallory@{_server.Options.Domain}/phone"),
            _ => barrier.ToArray(),
        };
        var due = script.BarrierDelay > TimeSpan.Zero
            ? _server.Time.GetTimestamp() + (long)(script.BarrierDelay.TotalSeconds * _server.Time.TimestampFrequency)
            : 0;
        _output.Writer.TryWrite((answer, due));
        if (script.Barriers == BarrierAnswer.Twice)
            _output.Writer.TryWrite((answer, due));
    }

    private static byte[] Rewritten(ReadOnlySpan<byte> barrier, Func<string, string> id, Func<string, string> from)
    {
        var stanza = new ReceivedStanza(barrier.ToArray(), 0, 0);
        var payload = string.Concat(stanza.Element.Nodes());
        return Encoding.UTF8.GetBytes(
            $"<iq xml:lang=\"en\" id=\"{StartTag.Escape(id(stanza.Id ?? ""))}\" " +
            $"to=\"{StartTag.Escape(stanza.To ?? "")}\" type=\"get\" " +
            $"from=\"{StartTag.Escape(from(stanza.From ?? ""))}\">{payload}</iq>");
    }

    private void AnswerUptime(ReceivedStanza question)
    {
        var script = Script;
        if (_silent || script.Uptime == UptimeAnswer.Silent)
            return;
        if (script.Uptime == UptimeAnswer.Unavailable)
        {
            Refuse(question);
            return;
        }

        var seconds = (long)(_server.Time.GetUtcNow() - script.StartedAt).TotalSeconds;
        Send(
            $"<iq type='result' {Back(question)}><query xmlns='jabber:iq:last' " +
            $"seconds='{seconds.ToString(CultureInfo.InvariantCulture)}'/></iq>");
    }

    private void Refuse(ReceivedStanza request) => Send(
        $"<iq type='error' {Back(request)}><error type='cancel'>" +
        "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");

    private bool IsToNobody(ReadOnlySpan<byte> stanza)
    {
        if (_server.Options.CountsOnly || !stanza.StartsWith("<message"u8) || !StartTag.TryGet(stanza, "to"u8, out var to))
            return false;
        var at = to.IndexOf((byte)'@');
        return at >= 0 && Is(to[..at], _server.Options.Nobody) && Is(to[(at + 1)..], _server.Options.Domain);
    }

    /// <summary>Sends a message back as an error, as for an address that nobody has (RFC 6121 §8.5.1).</summary>
    public void SendBack(ReceivedStanza message) => Send(
        $"<message type='error' {Back(message)}><error type='cancel'>" +
        "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");

    private static string Back(ReceivedStanza request) =>
        $"from='{StartTag.Escape(request.To ?? "")}' to='{StartTag.Escape(request.From ?? "")}' " +
        $"id='{StartTag.Escape(request.Id ?? "")}'";

    private static bool Is(ReadOnlySpan<byte> attribute, string text) =>
        attribute.Length == text.Length && StartTag.Unescape(attribute) == text;

    private bool Strikes(ServerMoment moment)
    {
        foreach (var fault in Script.Faults)
        {
            if (fault.Moment != moment)
                continue;
            React(fault.Reaction, fault.Condition, fault.Text);
            return true;
        }

        return false;
    }

    private bool StrikesOn(ReadOnlyMemory<byte> bytes)
    {
        ReceivedStanza? stanza = null;
        foreach (var fault in Script.Faults)
        {
            if (fault.Moment != ServerMoment.OnStanza)
                continue;
            stanza ??= new ReceivedStanza(bytes.ToArray(), Taken, 0) { Connection = Number };
            if (!fault.Stanza(stanza, Taken))
                continue;
            React(fault.Reaction, fault.Condition, fault.Text);
            return true;
        }

        return false;
    }

    // XEP-0114 §3, step 3: SHA-1 is the protocol's choice, in lower-case hex.
#pragma warning disable CA5350
    private static string Digest(string text) => Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes(text)));
#pragma warning restore CA5350
}
