using System.Globalization;
using System.Text;
using Bridge.Connection;
using Bridge.Simulation.Tests.Machine;
using Bridge.Simulation.Tests.Redis;
using Bridge.Simulation.Tests.Schedules;
using Bridge.Stanzas;

namespace Bridge.Simulation.Tests.Server;

/// <summary>
/// An XMPP server with one component: works off each stream in order, returns barriers in order, hands
/// messages on a little later, and lets a new stream of the component replace the old one.
/// </summary>
internal sealed class ModelServer(World world, Ledger ledger, Sabotage sabotage)
{
    /// <summary>The longest time between the answer to a barrier and the hand over of what stands before it; measured were 42 ms.</summary>
    private const double Lag = 45;

    private static readonly StanzaError Unavailable = new(StanzaErrorType.Cancel, StanzaErrorCondition.ServiceUnavailable, null);

    private static readonly StanzaError NotNow = new(StanzaErrorType.Wait, StanzaErrorCondition.ResourceConstraint, null);

    private readonly Queue<(int Message, MessageKind Kind, string Id)> _handing = new();
    private readonly HashSet<int> _asked = [];
    private long _lastHandOver;
    private long _frozenUntil;
    private long _refusesUntil;
    private long _barriersVanishUntil;
    private long _streams;

    // As if it had run for an hour.
    private long _startedAt = -TimeSpan.TicksPerHour;

    public Sabotage Sabotage => sabotage;

    public bool IsDown { get; private set; }

    public long FrozenUntil => world.Now < _frozenUntil ? _frozenUntil : 0;

    public bool Refuses => IsDown || world.Now < _refusesUntil;

    public bool IsHandingOn => _handing.Count > 0;

    /// <summary>The component's stream.</summary>
    public ModelLink? Current { get; private set; }

    private HashSet<ModelLink> Links { get; } = [];

    public void Freeze(long until) => _frozenUntil = Math.Max(_frozenUntil, until);

    public void Refuse(long until) => _refusesUntil = Math.Max(_refusesUntil, until);

    public void LoseBarriers(long until) => _barriersVanishUntil = Math.Max(_barriersVanishUntil, until);

    public void Crash(long backAt)
    {
        if (IsDown)
            return;
        IsDown = true;
        _frozenUntil = 0;
        foreach (var (message, _, _) in _handing)
            ledger.DiedWithServer(message);
        _handing.Clear();
        foreach (var link in Links.OrderBy(link => link.Number).ToArray())
            link.Reset();
        Links.Clear();
        Current = null;
        world.At(backAt, () =>
        {
            IsDown = false;
            if (sabotage != Sabotage.ServerHidesItsRestart)
                _startedAt = world.Now;
            world.Note("server: is back");
        });
    }

    public long NextStream() => ++_streams;

    public void Accept(ModelLink link) => Links.Add(link);

    public void Forget(ModelLink link)
    {
        Links.Remove(link);
        if (Current == link)
            Current = null;
    }

    /// <summary>Works one element off.</summary>
    public void Process(ModelLink link, StreamElement element)
    {
        switch (element.Kind)
        {
            case StreamElementKind.Header:
                link.Say(new StreamOpened(new StreamHeader("s", null, null)));
                break;
            case StreamElementKind.Handshake:
                Current?.End(new StreamError(StreamErrorCondition.Conflict, null));
                Current = link;
                world.Note($"server: stream {link.Number} of node {link.Node} is established");
                link.Say(new HandshakeAccepted());
                break;
            case StreamElementKind.Uptime:
                var seconds = (world.Now - _startedAt) / TimeSpan.TicksPerSecond;
                link.Say(new StanzaReceived(
                    StanzaKind.Iq, element.Id, "example.test", "bridge.example.test", "result", "query", "jabber:iq:last",
                    Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"<iq type='result'><query xmlns='jabber:iq:last' seconds='{seconds}'/></iq>"))));
                break;
            case StreamElementKind.Barrier when world.Now < _barriersVanishUntil:
                break;
            case StreamElementKind.Barrier:
                link.ConfirmAll(ledger);
                link.Say(new BarrierReturned(element.Number, 0));
                break;
            case StreamElementKind.Message:
                Process(link, (int)element.Number, element.MessageKind, element.Id);
                break;
            case StreamElementKind.Close:
                link.CloseOrderly();
                break;
        }
    }

    private void Process(ModelLink link, int message, MessageKind kind, string? id)
    {
        if (world.Recording)
            world.Note($"server: stream {link.Number} brings message {message}{(kind == MessageKind.Good ? "" : $", {kind}")}");
        switch (kind)
        {
            case MessageKind.Poison:
                link.End(new StreamError(StreamErrorCondition.PolicyViolation, null));
                return;
            case MessageKind.SilentPoison:
                link.End(null);
                return;
        }

        if (!link.Brings(message) && kind != MessageKind.Busy)
            world.Break($"message {message} came twice on one stream");
        ledger.Processed(message, link.OpenedAt, link.Life);
        if (kind == MessageKind.Bounces)
        {
            PlanBounce(message, id!, Unavailable);
            return;
        }

        // Once or twice, each: some bounces are lost, and the message then counts as held.
        if (kind == MessageKind.Busy && (_asked.Add(message) || (message % 3 == 0 && _asked.Add(message + Plan.MessagesAtMost))))
        {
            PlanBounce(message, id!, NotNow);
            return;
        }

        _handing.Enqueue((message, kind, id ?? ""));
        _lastHandOver = Math.Max(_lastHandOver, world.Soon(Lag));
        PlanHandOver(_lastHandOver);
    }

    // Some come while the message is in the journal, some when it has left it; one that dies with the server or its stream never.
    private void PlanBounce(int message, string id, StanzaError error)
    {
        var life = _startedAt;
        world.At(world.Soon(world.Chance(0.7) ? Lag : 1_500), () =>
        {
            if (life == _startedAt && !IsDown && FrozenUntil == 0)
                Current?.Say(new StanzaBounced(StanzaKind.Message, id, Payloads.RecipientOf(message), "bridge.example.test", error) { Xml = "<m/>"u8.ToArray() });
        });
    }

    private void PlanHandOver(long at) => world.At(at, () =>
    {
        if (FrozenUntil is > 0 and var thaw)
            PlanHandOver(thaw);
        else if (_handing.TryDequeue(out var handed))
        {
            ledger.HandedOn(handed.Message);
            if (handed.Kind == MessageKind.AsksReceipt && world.Chance(0.7))
                PlanReceipt(handed.Message, handed.Id);
        }
    });

    // Some come while the message is in the journal, some while it waits, some when nobody waits any more.
    private void PlanReceipt(int message, string id) => world.At(world.Soon(world.Chance(0.7) ? 200 : 900), () =>
    {
        if (!IsDown && FrozenUntil == 0)
        {
            Current?.Say(new StanzaReceived(
                StanzaKind.Message, "r", Payloads.RecipientOf(message) + "/phone", "bridge.example.test", null, "received", "urn:xmpp:receipts",
                Encoding.UTF8.GetBytes($"<message><received xmlns='urn:xmpp:receipts' id='{id}'/></message>")));
        }
    });
}
