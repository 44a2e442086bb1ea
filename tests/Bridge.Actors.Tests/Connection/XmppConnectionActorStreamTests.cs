using Akka.Event;
using Bridge.Connection;
using Bridge.Settings;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Connection;

/// <summary>The lives of the stream: how each begins, ends, and is followed by the next.</summary>
public sealed class XmppConnectionActorStreamTests : XmppConnectionActorSpec
{
    public static TheoryData<ConnectFault, ReconnectCause> DialFaults { get; } = new()
    {
        { ConnectFault.Refused, ReconnectCause.ConnectFailed },
        { ConnectFault.Unreachable, ReconnectCause.ConnectFailed },
        { ConnectFault.NameNotFound, ReconnectCause.ConnectFailed },
        { ConnectFault.Failed, ReconnectCause.ConnectFailed },
        { ConnectFault.TimedOut, ReconnectCause.ConnectTimeout },
        { ConnectFault.TlsFailed, ReconnectCause.TlsFailed },
        { ConnectFault.CertificateRejected, ReconnectCause.TlsFailed },
        { ConnectFault.CaFileUnusable, ReconnectCause.TlsFailed },
    };

    // Milliseconds between which the next dial comes.
    public static TheoryData<StreamErrorCondition, ReconnectCause, double, double> Refusals { get; } = new()
    {
        { StreamErrorCondition.NotAuthorized, ReconnectCause.Refused, 10_000, 10_000 },
        { StreamErrorCondition.HostUnknown, ReconnectCause.Refused, 10_000, 10_000 },
        { StreamErrorCondition.Conflict, ReconnectCause.Conflict, 1_000, 1_000 },
        { StreamErrorCondition.SystemShutdown, ReconnectCause.StreamError, 100, 200 },
        { StreamErrorCondition.ResourceConstraint, ReconnectCause.StreamError, 100, 200 },
    };

    public static TheoryData<SocketEnd, ReconnectCause> SocketEnds { get; } = new()
    {
        { SocketEnd.RemoteClosed, ReconnectCause.StreamEnded },
        { SocketEnd.RemoteReset, ReconnectCause.SocketFailed },
        { SocketEnd.WriteFailed, ReconnectCause.SocketFailed },
        { SocketEnd.InternalFault, ReconnectCause.SocketFailed },
        { SocketEnd.Malformed, ReconnectCause.ProtocolViolation },
        { SocketEnd.LeaseExpired, ReconnectCause.LeaseLost },
    };

    [Fact]
    public void It_opens_the_stream_proves_the_secret_and_writes_a_barrier()
    {
        Start(Settings());
        Assert.Equal(5347, Assert.Single(Dialer.Dials).Endpoint.Port);
        var link = Dialer.Last.Accept();
        Assert.Equal(["header"], link.Written());
        link.Say(new StreamOpened(new StreamHeader("s1", null, null)));
        Assert.Equal(["handshake"], link.Written());
        link.Say(new HandshakeAccepted());
        Assert.Equal(["|1"], link.Written());

        Assert.Equal(
            [ConnectionState.Connecting, ConnectionState.AwaitingStreamHeader, ConnectionState.AwaitingHandshake, ConnectionState.Established],
            Drain<XmppConnectionActor.Observed>(Parent).Select(observed => observed.State));
    }

    [Fact]
    public void Every_batch_of_events_is_acknowledged_so_that_reading_goes_on()
    {
        Start(Settings());
        Establish();
        Link.Say(new StanzaReceived(StanzaKind.Message, null, null, null, null, null, null, default));

        Assert.Equal(3, Link.ConsumedBatches);
    }

    [Theory]
    [MemberData(nameof(DialFaults))]
    public void A_dial_that_fails_is_named_and_followed_by_another(ConnectFault fault, ReconnectCause cause)
    {
        Start(Settings());
        Dialer.Last.Fail(fault);
        ExpectDialBetween(100, 200);

        Assert.Equal(1, Reconnects(cause));
        Assert.Single(Logged(LogLevel.WarningLevel));
    }

    [Fact]
    public void A_dial_that_fails_for_no_named_reason_is_a_mistake_that_the_parent_deals_with()
    {
        Start(Settings());
        Dialer.Last.Fail(new InvalidCastException());

        Assert.IsType<InvalidCastException>(Assert.Single(Drain<Supervisor.Failed>(Parent)).Cause.InnerException);
    }

    [Fact]
    public void Endpoints_are_dialled_in_turn()
    {
        Start(Settings(ports: [1, 2, 3]));
        for (var dial = 0; dial < 4; dial++)
        {
            Dialer.Last.Fail(ConnectFault.Refused);
            PassUntil(() => Dialer.Dials.Count > dial + 1, TimeSpan.FromSeconds(1));
        }

        Assert.Equal([1, 2, 3, 1, 2], Dialer.Dials.Select(dial => dial.Endpoint.Port));
    }

    [Fact]
    public void A_server_that_sends_no_header_within_its_deadline_is_left()
    {
        Start(Settings());
        var link = Dialer.Last.Accept();
        Pass(TimeSpan.FromSeconds(4.99));
        Assert.False(link.WasReset);
        Pass(10);

        Assert.True(link.WasReset);
        Assert.Equal(1, Reconnects(ReconnectCause.HeaderTimeout));
        ExpectDialBetween(100, 200);
    }

    [Fact]
    public void A_server_that_does_not_answer_the_handshake_within_its_deadline_is_left()
    {
        Start(Settings());
        var link = Dialer.Last.Accept();
        Pass(TimeSpan.FromSeconds(4));
        link.Say(new StreamOpened(new StreamHeader("s1", null, null)));
        Pass(TimeSpan.FromSeconds(4.99));
        Assert.False(link.WasReset);
        Pass(10);

        Assert.True(link.WasReset);
        Assert.Equal(1, Reconnects(ReconnectCause.HandshakeTimeout));
        ExpectDialBetween(100, 200);
    }

    [Theory]
    [MemberData(nameof(Refusals))]
    public void A_stream_error_before_the_handshake_decides_when_to_come_again(
        StreamErrorCondition condition, ReconnectCause cause, double atLeast, double atMost)
    {
        Start(Settings());
        var link = Dialer.Last.Accept();
        link.Say(new StreamOpened(new StreamHeader("s1", null, null)));
        link.Say(Error(condition));

        Assert.True(link.WasReset);
        Assert.Equal(1, Reconnects(cause));
        var level = cause == ReconnectCause.Refused ? LogLevel.ErrorLevel : LogLevel.WarningLevel;
        Assert.Contains(StreamError.WireName(condition), Assert.Single(Logged(level)), StringComparison.Ordinal);
        ExpectDialBetween(atLeast, atMost);
    }

    [Fact]
    public void A_header_without_an_id_is_not_answered_the_error_behind_it_counts()
    {
        Start(Settings());
        var link = Dialer.Last.Accept();
        link.Written();
        link.Say(new StreamOpened(new StreamHeader("", null, null)), Error(StreamErrorCondition.HostUnknown), new StreamClosed());

        Assert.Empty(link.Written());
        Assert.Equal(1, Reconnects(ReconnectCause.Refused));
        Assert.Equal(1, Metrics["reconnects"]);
    }

    [Fact]
    public void A_conflict_that_lasts_for_a_minute_is_told_as_an_error()
    {
        Start(Settings());
        for (var second = 0; second <= 60; second++)
        {
            var dials = Dialer.Dials.Count;
            Assert.Empty(Logged(LogLevel.ErrorLevel));
            Dialer.Last.Accept().Say(Error(StreamErrorCondition.Conflict));
            PassUntil(() => Dialer.Dials.Count > dials, TimeSpan.FromSeconds(2));
        }

        Assert.Equal(61, Reconnects(ReconnectCause.Conflict));
        Assert.Contains("kick_old", Assert.Single(Logged(LogLevel.ErrorLevel)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_stanza_before_the_handshake_is_answered_ends_the_stream()
    {
        Start(Settings());
        var link = Dialer.Last.Accept();
        link.Say(new StreamOpened(new StreamHeader("s1", null, null)));
        link.Say(new StanzaReceived(StanzaKind.Message, null, null, null, null, null, null, default));

        Assert.True(link.WasReset);
        Assert.Equal(1, Reconnects(ReconnectCause.ProtocolViolation));
    }

    [Theory]
    [MemberData(nameof(SocketEnds))]
    public void The_end_of_the_connection_is_named_by_who_ended_it(SocketEnd end, ReconnectCause cause)
    {
        Begin(Settings());
        Link.End(end);

        Assert.Equal(1, Reconnects(cause));
        ExpectDialBetween(100, 200);
    }

    [Fact]
    public void A_stream_that_the_server_closes_or_garbles_is_left()
    {
        Begin(Settings());
        Link.Say(new StreamClosed());
        Assert.True(Link.WasReset);
        Assert.Equal(1, Reconnects(ReconnectCause.StreamEnded));
        Reconnect();
        Link.Say(new StreamMalformed("a tag that does not match"));

        Assert.True(Link.WasReset);
        Assert.Equal(1, Reconnects(ReconnectCause.ProtocolViolation));
    }

    [Fact]
    public void An_idle_stream_carries_a_barrier_every_two_seconds()
    {
        Begin(Settings());
        for (var barrier = 2; barrier <= 4; barrier++)
        {
            Pass(TimeSpan.FromSeconds(1.8));
            Assert.Empty(Link.Written());
            Pass(200);
            Assert.Equal(["|" + barrier], Link.Written());
            Link.ReturnBarrier(barrier);
        }
    }

    [Fact]
    public void Without_progress_for_six_seconds_the_stream_is_reset()
    {
        Begin(Settings());
        Hand(1);
        Pass(TimeSpan.FromSeconds(5.9));
        Assert.False(Link.WasReset);
        Pass(200);

        Assert.True(Link.WasReset);
        Assert.Equal(1, Reconnects(ReconnectCause.NoProgress));
    }

    [Theory]
    [InlineData("a flood", 300_000, 59, 60.2)]
    [InlineData("a trickle", 10_000, 5.9, 6.1)]
    public void Behind_a_flood_a_late_barrier_is_waited_for_up_to_a_minute(string what, int bytesPerSecond, double atLeast, double atMost)
    {
        Begin(Settings());
        Hand(1);
        var lives = 0.0;
        for (; !Link.WasReset && lives < 120; lives += 0.1)
        {
            Link.BytesRead += bytesPerSecond / 10;
            Pass(100);
        }

        Assert.True(lives >= atLeast && lives <= atMost, $"behind {what} it was reset after {lives:F1} s");
    }

    [Fact]
    public void A_frozen_server_is_noticed_on_an_idle_stream_too()
    {
        Begin(Settings());
        Pass(TimeSpan.FromSeconds(8.2));

        Assert.Equal(1, Reconnects(ReconnectCause.NoProgress));
    }

    [Fact]
    public void While_the_kernels_send_queue_shrinks_a_late_barrier_is_waited_for_up_to_a_minute()
    {
        Begin(Settings());
        Link.Unacknowledged = 1_000_000;
        Hand(1);
        for (var second = 0; second < 59; second++)
        {
            Pass(TimeSpan.FromSeconds(1));
            Link.Unacknowledged -= 1_000;
        }

        Assert.False(Link.WasReset);
        Pass(TimeSpan.FromSeconds(1.1));
        Assert.True(Link.WasReset);
        Assert.Equal(1, Reconnects(ReconnectCause.NoProgress));
    }

    [Fact]
    public void What_an_earlier_life_says_late_is_ignored()
    {
        Begin(Settings());
        Hand(1);
        Assert.Equal(["1", "|2"], Link.Written());
        var old = Link;
        old.End(SocketEnd.RemoteReset);
        Reconnect();
        old.ReturnBarrier(2);
        old.Say(Error(StreamErrorCondition.Conflict));
        old.End(SocketEnd.RemoteClosed);
        Pass(10);

        Assert.Equal(1, Metrics["reconnects"]);
        Assert.Equal(0, Metrics["entries.confirmed"]);
        Assert.Equal(["header", "handshake", "|3", "1"], Link.Written());
    }

    [Fact]
    public void Nothing_is_taken_from_a_batch_behind_the_event_that_ended_the_stream()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        Hand(1);
        Link.Say(Error(StreamErrorCondition.SystemShutdown), new BarrierReturned(2, 0), new StreamClosed());

        Assert.Equal(0, Metrics["entries.confirmed"]);
        Assert.Equal(1, Metrics["reconnects"]);
    }

    [Fact]
    public void After_a_restart_of_the_server_nothing_is_written_for_the_resume_delay()
    {
        var settings = Settings(ConfirmGrade.Accepted);
        Begin(settings with { Xmpp = settings.Xmpp with { ResumeDelay = TimeSpan.FromSeconds(1) } });
        Hand(1);
        Assert.Equal(["1", "|2"], Link.Written());
        Link.End(SocketEnd.RemoteClosed);
        Reconnect();
        Pass(990);
        Assert.Equal(["header", "handshake", "|3"], Link.Written());
        Pass(10);

        Assert.Equal(["1"], Link.Written());
    }

    [Fact]
    public void It_tells_its_state_four_times_a_second()
    {
        Begin(Settings());
        Drain<object>(Parent);
        Pass(TimeSpan.FromSeconds(1));

        Assert.Equal(4, Drain<XmppConnectionActor.Observed>(Parent).Count);
    }

    [Fact]
    public void Bytes_are_counted_over_all_lives_of_the_stream()
    {
        Begin(Settings());
        var first = Link;
        Link.End(SocketEnd.RemoteReset);
        Reconnect();
        Pass(300);

        Assert.Equal(first.BytesWritten + Link.BytesWritten, Metrics["bytes.sent"]);
    }

    [Fact]
    public void Its_end_resets_the_connection()
    {
        Begin(Settings());
        End(Connection);

        Assert.True(Link.WasReset);
    }

    [Fact]
    public async Task Its_end_gives_up_a_dial_and_resets_what_comes_of_it_all_the_same()
    {
        Start(Settings());
        End(Connection);
        Assert.True(Dialer.Last.IsGivenUp);

        await Dialer.Last.Accept().Reset.WaitAsync(TimeSpan.FromSeconds(3));
    }

    private void ExpectDialBetween(double atLeast, double atMost)
    {
        var dials = Dialer.Dials.Count;
        Pass(atLeast - 10);
        Assert.Equal(dials, Dialer.Dials.Count);
        Pass(atMost - atLeast + 20);
        Assert.Equal(dials + 1, Dialer.Dials.Count);
    }

    [Fact]
    public void A_stanza_in_one_read_with_the_handshake_is_no_violation()
    {
        Start(Settings());
        var link = Dialer.Last.Accept();
        link.Say(new StreamOpened(new StreamHeader("s1", null, null)));
        link.Say(
            new HandshakeAccepted(),
            new StanzaReceived(StanzaKind.Message, "m", "ada@example.test", "bridge.example.test", "chat", "body", null, default));

        Assert.False(link.WasReset);
        Assert.Equal(ConnectionState.Established, Drain<XmppConnectionActor.Observed>(Parent)[^1].State);
        Assert.Equal(1, Metrics["inbound.stanzas:message"]);
    }

    [Fact]
    public void A_flood_of_requests_is_answered_only_up_to_a_bound_until_a_barrier_returns()
    {
        Start(Settings());
        var link = Establish();
        var id = new string('i', 1_000);
        var request = new StanzaReceived(StanzaKind.Iq, id, "ada@example.test", "bridge.example.test", "get", "x", "urn:x", default);
        for (var i = 0; i < 1_000; i++)
            link.Say(request);
        Assert.InRange(link.BytesWritten, 200_000, 300_000);
        link.ReturnBarrier(1);
        link.Say(request);

        Assert.InRange(link.BytesWritten, 200_000, 310_000);
        Assert.False(link.WasReset);
    }

    [Fact]
    public void An_endpoint_that_lets_us_in_but_brings_no_barrier_back_is_not_stayed_with()
    {
        var settings = Settings();
        Start(settings with { Xmpp = settings.Xmpp with { Endpoints = [new("127.0.0.1", 5347), new("127.0.0.1", 5348)] } });
        Establish();
        Link.End(SocketEnd.RemoteClosed);
        Assert.True(PassUntil(() => Dialer.Dials.Count > 1, TimeSpan.FromSeconds(15)));

        Assert.Equal(5348, Dialer.Dials[1].Endpoint.Port);
    }
}
