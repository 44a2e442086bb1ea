using Bridge.Connection;
using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Actors.Tests.Connection;

/// <summary>A dialer whose every attempt the test decides.</summary>
internal sealed class ScriptedDialer : IComponentDialer
{
    public List<Dial> Dials { get; } = [];

    public Dial Last => Dials[^1];

    public Task<IComponentLink> DialAsync(
        XmppEndpoint endpoint, XmppSettings settings, LeaseDeadline deadline, CancellationToken cancellation)
    {
        Dials.Add(new Dial(endpoint, cancellation));
        return Last.Task;
    }
}

/// <summary>One attempt.</summary>
internal sealed class Dial(XmppEndpoint endpoint, CancellationToken cancellation)
{
    private readonly PendingCall<XmppEndpoint, IComponentLink> _call = new(endpoint);

    public XmppEndpoint Endpoint => _call.Asked;

    public bool IsGivenUp => cancellation.IsCancellationRequested;

    public Task<IComponentLink> Task => _call.Task;

    public ScriptedLink Accept(bool singleAddress = true)
    {
        var link = new ScriptedLink(singleAddress);
        _call.Answer(link);
        return link;
    }

    public void Fail(ConnectFault fault) => _call.Fail(new ConnectFaultException(fault, Endpoint, null));

    public void Fail(Exception cause) => _call.Fail(cause);
}
