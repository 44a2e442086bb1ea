using System.Text;
using Bridge.Outcomes;

namespace Bridge.Actors.Tests.Outcomes;

public sealed class ReceiptsTests
{
    [Theory]
    [InlineData("<message><received xmlns='urn:xmpp:receipts' id='a'/></message>", "a")]
    [InlineData("<message><store xmlns='urn:xmpp:hints'/><received id='x&amp;y' xmlns='urn:xmpp:receipts'></received></message>", "x&y")]
    [InlineData("<message> <r:received xmlns:r='urn:xmpp:receipts' id='a'/> </message>", "a")]
    [InlineData("<message><body>hi</body></message>", null)]
    [InlineData("<message><request xmlns='urn:xmpp:receipts'/></message>", null)]
    [InlineData("<message><received xmlns='urn:xmpp:receipts'/></message>", null)]
    [InlineData("<message><received xmlns='urn:xmpp:receipts' id=''/></message>", null)]
    [InlineData("<message><received xmlns='urn:xmpp:chat-markers:0' id='a'/><x xmlns='urn:xmpp:receipts'/></message>", null)]
    // Quoted in something that was forwarded, it is none of the sender's.
    [InlineData("<message><x xmlns='urn:x'><received xmlns='urn:xmpp:receipts' id='a'/></x></message>", null)]
    public void The_id_that_it_is_for_is_read(string message, string? id) =>
        Assert.Equal(id, Receipts.TryRead(Encoding.UTF8.GetBytes(message), out var read) ? read : null);
}
