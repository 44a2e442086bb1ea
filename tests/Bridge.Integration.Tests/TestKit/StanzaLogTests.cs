using System.Text;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.TestKit;

public sealed class StanzaLogTests
{
    [Fact]
    public async Task A_log_that_keeps_nothing_still_counts_shows_and_finds()
    {
        await using var server = new ScriptedXmppServer();
        var shown = new List<string?>();
        server.Received.Observe(stanza => shown.Add(stanza.Id));
        server.Received.Keeps = false;
        await using var peer = await XmppComponentPeer.ConnectAsync(server.Port, server.Options.Component, server.Options.Secret);
        var found = server.Received.FirstAsync(stanza => stanza.Id == "two", TimeSpan.FromSeconds(10));

        await peer.SendAsync(Encoding.UTF8.GetBytes("<message id='one' to='a@b'/><message id='two' to='a@b'/>"));

        Assert.Equal("two", (await found).Id);
        await server.Received.CountAsync(2, TimeSpan.FromSeconds(10));
        Assert.Equal(["one", "two"], shown);
        Assert.Empty(server.Received.Snapshot());
    }
}
