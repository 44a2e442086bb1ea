using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Bridge.Measuring;

namespace Bridge.Sink;

/// <summary>
/// One stream, read by a thread of its own with blocking calls: nothing is faster, and there are few of them.
/// </summary>
internal sealed class Connection(Socket socket, Func<Arrivals> arrivals, Action<string> say)
{
    private readonly long _startedAt = Process.GetCurrentProcess().StartTime.Ticks;
    private readonly string _streamId = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
    private readonly List<byte> _answers = [];
    private byte[] _buffer = new byte[256 * 1024];
    private int _filled;
    private bool _ended;

    /// <summary>Plays the server to a component.</summary>
    public void Serve(string secret)
    {
        try
        {
            if (Handshake(secret) is { } domain)
                Count(domain, answers: true);
        }
        catch (SocketException)
        {
            // A contender that was ended takes its connection with it.
        }
        finally
        {
            socket.Dispose();
        }
    }

    /// <summary>Counts what a real server sends to the component that this connection already is.</summary>
    public void Receive(string domain) => Count(domain, answers: false);

    private void Count(string domain, bool answers)
    {
        var current = arrivals();
        var tally = current.TallyOf(domain);
        say($"joined {current.Label} {domain}");
        while (!_ended && Fill())
        {
            // Once for all that this read brought: reading the clock costs a tenth of counting a stanza.
            var now = Stopwatch.GetTimestamp();
            if (!ReferenceEquals(current, arrivals()))
            {
                current = arrivals();
                tally = current.TallyOf(domain);
            }

            long distinct;
            int used;
            lock (tally)
            {
                distinct = -tally.Distinct;
                used = Scan(tally, now, answers ? domain : null);
                distinct += tally.Distinct;
            }

            Consume(used);
            current.Advance(distinct, used, now);
            if (_answers.Count > 0)
                Answer();
        }
    }

    /// <summary>Goes through what is in the buffer; returns how much of it is done with.</summary>
    private int Scan(Tally tally, long now, string? domain)
    {
        var input = _buffer.AsSpan(0, _filled);
        var position = 0;
        while (true)
        {
            position += StanzaScanner.CountMessages(input[position..], tally, now);
            var other = StanzaScanner.NextLength(input[position..]);
            if (other == 0 || _ended)
                return position;
            if (domain is not null)
                OnOther(input.Slice(position, other), domain);
            position += other;
        }
    }

    private void OnOther(ReadOnlySpan<byte> element, string domain)
    {
        if (element.StartsWith(ComponentStream.End))
        {
            _answers.AddRange(ComponentStream.End);
            _ended = true;
            return;
        }

        if (!element.StartsWith("<iq"u8))
            return;
        var to = Encoding.UTF8.GetString(StanzaScanner.Attribute(element, " to="u8));
        if (to == domain)
        {
            // A barrier, or whatever else a component sends to itself: routed back as it came.
            _answers.AddRange(element);
            return;
        }

        if (Encoding.UTF8.GetString(StanzaScanner.Attribute(element, " type="u8)) is not ("get" or "set"))
            return;
        var id = Encoding.UTF8.GetString(StanzaScanner.Attribute(element, " id="u8));
        var seconds = (DateTime.Now.Ticks - _startedAt) / TimeSpan.TicksPerSecond;
        _answers.AddRange(Encoding.UTF8.GetBytes(element.IndexOf("jabber:iq:last"u8) >= 0
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"<iq type='result' id='{id}' from='{to}' to='{domain}'><query xmlns='jabber:iq:last' seconds='{seconds}'/></iq>")
            : $"<iq type='error' id='{id}' from='{to}' to='{domain}'><error type='cancel'>" +
              "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"));
    }

    /// <summary>XEP-0114 §3, the server's side; null when the component does not know the secret.</summary>
    private string? Handshake(string secret)
    {
        var header = Next("stream:stream");
        var domain = Encoding.UTF8.GetString(StanzaScanner.Attribute(header, " to="u8));
        Send("<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' " +
            $"xmlns:stream='http://etherx.jabber.org/streams' from='{domain}' id='{_streamId}'>");
        var proof = Encoding.UTF8.GetString(Next("handshake"));
        if (!proof.Contains($">{ComponentStream.Digest(_streamId, secret)}<", StringComparison.Ordinal))
        {
            Send("<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>");
            return null;
        }

        Send("<handshake/>");
        return domain;
    }

    /// <summary>The next element, of which the name is known; all before it is dropped.</summary>
    private byte[] Next(string name)
    {
        while (true)
        {
            var input = _buffer.AsSpan(0, _filled);
            var length = StanzaScanner.NextLength(input);
            if (length == 0)
            {
                if (!Fill())
                    throw new SocketException((int)SocketError.ConnectionReset);
                continue;
            }

            var element = input[..length].ToArray();
            Consume(length);
            if (Encoding.UTF8.GetString(StanzaScanner.Name(element)) == name)
                return element;
        }
    }

    private bool Fill()
    {
        if (_filled == _buffer.Length)
            Array.Resize(ref _buffer, 2 * _buffer.Length);
        var length = socket.Receive(_buffer, _filled, _buffer.Length - _filled, SocketFlags.None);
        _filled += length;
        return length > 0;
    }

    private void Consume(int length)
    {
        _buffer.AsSpan(length, _filled - length).CopyTo(_buffer);
        _filled -= length;
    }

    private void Answer()
    {
        socket.Send(_answers.ToArray());
        _answers.Clear();
    }

    private void Send(string words) => socket.Send(Encoding.UTF8.GetBytes(words));
}
