namespace Bridge.TestKit;

/// <summary>What a user and a component have in common once their stream stands: they read, record and send.</summary>
public abstract class XmppPeer : IAsyncDisposable
{
    private readonly XmppWire _wire;
    private Task<StreamEnding> _reading = Task.FromResult(new StreamEnding("never read", null));
    private long _order;

    private protected XmppPeer(XmppWire wire) => _wire = wire;

    /// <summary>Everything that arrived since the stream was established, in order.</summary>
    public StanzaLog Received { get; } = new();

    /// <summary>How the stream ended, once it has.</summary>
    public Task<StreamEnding> Ended => _reading;

    /// <summary>How long a request waits for its answer.</summary>
    protected static TimeSpan AnswerTimeout => TimeSpan.FromSeconds(10);

    /// <summary>Writes bytes as they are; calls do not interleave.</summary>
    public ValueTask SendAsync(string xml) => _wire.SendAsync(xml);

    /// <inheritdoc cref="SendAsync(string)"/>
    public ValueTask SendAsync(ReadOnlyMemory<byte> xml) => _wire.SendAsync(xml);

    /// <summary>Sends an <c>iq</c> and waits for the result or error with its id.</summary>
    /// <param name="iq">The whole stanza, with the id.</param>
    /// <param name="id">The id again.</param>
    public async Task<ReceivedStanza> RequestAsync(string iq, string id)
    {
        var answer = Received.FirstAsync(
            stanza => stanza.Name == "iq" && stanza.Id == id && stanza.Type is "result" or "error", AnswerTimeout);
        await SendAsync(iq);
        return await answer;
    }

    /// <summary>
    /// Reads nothing more from the socket until <see cref="ResumeReading"/>. A read under way still ends.
    /// </summary>
    public void PauseReading() => _wire.Pause();

    /// <summary>Reads again.</summary>
    public void ResumeReading() => _wire.Resume();

    /// <summary>Breaks the connection with a TCP reset.</summary>
    public void Reset() => _wire.Reset();

    /// <summary>Closes the stream, reads what still comes, and closes the connection.</summary>
    public async ValueTask DisposeAsync()
    {
        ResumeReading();
        if (!_reading.IsCompleted)
        {
            try
            {
                await _wire.SendAsync("</stream:stream>").AsTask().WaitAsync(TimeSpan.FromSeconds(1));
                await _reading.WaitAsync(TimeSpan.FromSeconds(1));
            }
            catch (Exception e) when (e is IOException or TimeoutException or ObjectDisposedException)
            {
                // A server that was killed or frozen in the test answers nothing: the socket is closed below.
            }
        }

        await _wire.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private protected void Run(Func<ReadOnlyMemory<byte>, bool>? records = null) =>
        _reading = _wire.RunAsync((bytes, now) =>
        {
            if (records is not null && !records(bytes))
                return;
            var stanza = new ReceivedStanza(bytes.ToArray(), _order++, now);
            Received.Add(stanza);
            OnStanza(stanza);
        });

    private protected virtual void OnStanza(ReceivedStanza stanza)
    {
    }
}
