using Bridge.Connection;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Connection;

/// <summary>The orderly end, from every state.</summary>
public sealed class XmppConnectionActorDrainTests : XmppConnectionActorSpec
{
    [Fact]
    public void An_idle_stream_is_closed_properly_before_it_says_drained()
    {
        Begin(Settings());
        Drain();
        Assert.Empty(Drained());
        TellStopped(0);
        Assert.Equal(["close"], Link.Written());
        Assert.True(Link.IsClosing);
        Assert.False(Link.WasReset);
        Assert.Empty(Drained());
        Link.Closed();

        Assert.True(Assert.Single(Drained()).AllConfirmed);
    }

    [Fact]
    public void The_last_barrier_and_the_mark_come_before_the_close()
    {
        Begin(Settings());
        Hand(1, 2);
        Link.Written();
        Drain();
        TellStopped(2);
        Assert.Empty(Link.Written());
        Drain<object>(Puller);
        Link.ReturnBarrier(2);

        Assert.Equal(["close"], Link.Written());
        Assert.Equal(EntryPosition.OfSequence(2), Drain<RedisPullerActor.Settle>(Puller)[^1].Settlement.Mark?.Position);
        Link.Closed();
        Assert.True(Assert.Single(Drained()).AllConfirmed);
    }

    [Fact]
    public void A_bounce_that_comes_while_the_stream_closes_is_told_before_it_says_drained()
    {
        Begin(Settings());
        Hand(1, "told=order-1");
        ServeAll();
        Drain();
        TellStopped(1);
        Link.Say(new StanzaBounced(
            StanzaKind.Message, "order-1", "ada@example.test", "bridge.example.test", new StanzaError(StanzaErrorType.Cancel, StanzaErrorCondition.Gone, null)));
        Assert.Empty(Told());
        Link.Closed();

        Assert.Single(Drained());
        Assert.Equal(["1 bounced"], Told());
    }

    [Fact]
    public void A_hold_is_not_sat_out()
    {
        Begin(Settings());
        Hand(1);
        ServeAll();
        Drain();
        TellStopped(1);
        Link.Closed();

        Assert.Single(Drained());
        Assert.Equal(0, Settled().UpTo);
    }

    [Fact]
    public void What_the_puller_has_handed_over_and_the_writers_still_encode_is_waited_for()
    {
        Begin(Settings());
        Drain();
        TellStopped(3);
        Hand(1, 2, 3);
        ServeAll();

        Assert.True(Link.IsClosing);
    }

    [Fact]
    public void The_word_of_an_earlier_flow_is_not_enough()
    {
        Begin(Settings());
        Drain();
        Connection.Tell(new RedisPullerActor.TakingStopped(Flow - 1, 0), Puller.Ref);

        Assert.False(Link.IsClosing);
    }

    [Fact]
    public void At_its_deadline_it_closes_with_what_is_unconfirmed_left_to_the_journal()
    {
        Begin(Settings());
        Hand(1);
        Drain();
        TellStopped(1);
        Pass(TimeSpan.FromSeconds(4.9));
        Assert.False(Link.IsClosing);
        Pass(200);
        Assert.True(Link.IsClosing);
        Link.Closed();

        Assert.False(Assert.Single(Drained()).AllConfirmed);
    }

    [Fact]
    public void A_stream_that_breaks_while_it_drains_is_opened_again_and_drained()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        Hand(1);
        Drain();
        TellStopped(1);
        Link.End(SocketEnd.RemoteReset);
        Reconnect();
        ServeAll();
        Assert.True(Link.IsClosing);
        Link.Closed();

        Assert.True(Assert.Single(Drained()).AllConfirmed);
    }

    [Fact]
    public void A_lost_lease_ends_a_drain_at_once()
    {
        Begin(Settings());
        Hand(1);
        Drain();
        Link.End(SocketEnd.LeaseExpired);

        Assert.False(Assert.Single(Drained()).AllConfirmed);
    }

    [Theory]
    [InlineData(ConnectionState.Connecting)]
    [InlineData(ConnectionState.AwaitingStreamHeader)]
    [InlineData(ConnectionState.AwaitingHandshake)]
    [InlineData(ConnectionState.WaitingToReconnect)]
    public void Without_a_stream_and_with_nothing_in_flight_it_is_drained_at_once(ConnectionState state)
    {
        var link = BringTo(state);
        Drain();
        TellStopped(0);

        Assert.True(Assert.Single(Drained()).AllConfirmed);
        var dials = Dialer.Dials.Count;
        Pass(TimeSpan.FromSeconds(20));
        Assert.Equal(dials, Dialer.Dials.Count);
        End(Connection);
        Assert.True(link is null || link.WasReset);
    }

    [Theory]
    [InlineData(ConnectionState.Connecting)]
    [InlineData(ConnectionState.WaitingToReconnect)]
    public void Without_a_stream_and_with_entries_in_flight_it_gives_up_at_the_deadline(ConnectionState state)
    {
        Begin(Settings());
        Hand(1);
        Link.End(SocketEnd.RemoteReset);
        if (state == ConnectionState.Connecting)
            PassUntil(() => Dialer.Dials.Count == 2, TimeSpan.FromSeconds(1));
        Drain();
        TellStopped(1);
        Assert.Empty(Drained());
        Pass(TimeSpan.FromSeconds(5));

        Assert.False(Assert.Single(Drained()).AllConfirmed);
    }

    [Fact]
    public async Task A_dial_that_comes_about_after_the_drain_is_reset()
    {
        Start(Settings());
        Drain();
        TellStopped(0);
        Assert.Single(Drained());
        var link = Dialer.Last.Accept();
        End(Connection);

        await link.Reset.WaitAsync(TimeSpan.FromSeconds(3));
        Assert.Empty(link.Written());
    }

    [Fact]
    public void What_the_server_says_while_the_stream_closes_is_acknowledged_and_not_answered()
    {
        Begin(Settings());
        Drain();
        TellStopped(0);
        Link.Written();
        var consumed = Link.ConsumedBatches;
        Link.Say(new StanzaReceived(StanzaKind.Iq, "q1", "ada@example.test", "bridge.example.test", "get", null, null, default));
        Pass(TimeSpan.FromSeconds(10));

        Assert.Equal(consumed + 1, Link.ConsumedBatches);
        Assert.Empty(Link.Written());
    }

    private ScriptedLink? BringTo(ConnectionState state)
    {
        Start(Settings());
        if (state == ConnectionState.Connecting)
            return null;
        if (state == ConnectionState.WaitingToReconnect)
        {
            Dialer.Last.Fail(ConnectFault.Refused);
            return null;
        }

        var link = Dialer.Last.Accept();
        if (state == ConnectionState.AwaitingHandshake)
            link.Say(new StreamOpened(new StreamHeader("s1", null, null)));
        return link;
    }

    private void Drain() => Connection.Tell(new XmppConnectionActor.Drain(), Parent.Ref);

    private void TellStopped(long handed) => Connection.Tell(new RedisPullerActor.TakingStopped(Flow, handed), Puller.Ref);

    private IReadOnlyList<XmppConnectionActor.Drained> Drained() => Drain<XmppConnectionActor.Drained>(Parent);
}
