using System.Diagnostics;
using System.Text;
using Bridge.TestKit;
using Xunit.Abstractions;

namespace Bridge.Integration.Tests.TestKit;

public sealed class ScriptedXmppServerTests(ITestOutputHelper output)
{
    private const string Component = "bridge.example.test";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(150);

    public static TheoryData<BarrierAnswer, string[]> BarrierAnswers => new()
    {
        { BarrierAnswer.AsSent, [$"b1 {Component}", $"b2 {Component}"] },
        { BarrierAnswer.Reordered, [$"b1 {Component}", $"b2 {Component}"] },
        { BarrierAnswer.Twice, [$"b1 {Component}", $"b1 {Component}", $"b2 {Component}", $"b2 {Component}"] },
        { BarrierAnswer.WrongId, [$"never-sent {Component}", $"never-sent {Component}"] },
        { BarrierAnswer.Forged, ["b1 mallory@example.test/phone", "b2 mallory@example.test/phone"] },
        { BarrierAnswer.Silent, [] },
    };

    public static TheoryData<ServerReaction, string, string?> Endings => new()
    {
        { ServerReaction.StreamError, "end tag", "invalid-xml" },
        { ServerReaction.EndTag, "end tag", null },
        { ServerReaction.EndOfFile, "end of file", null },
        { ServerReaction.Reset, "reset", null },
    };

    [Theory]
    [MemberData(nameof(BarrierAnswers))]
    public async Task Barriers_come_back_in_order_as_the_script_says(BarrierAnswer answer, string[] expected)
    {
        await using var server = new ScriptedXmppServer { Script = new ServerScript { Barriers = answer } };
        await using var peer = await ConnectAsync(server);

        await peer.SendAsync(Barrier("b1") + Message("m-0") + Barrier("b2") + Ping("end"));

        await peer.Received.FirstAsync(stanza => stanza.Id == "end", Patience);
        var returned = peer.Received.Snapshot().Where(stanza => stanza.Id != "end");
        Assert.Equal(expected, returned.Select(stanza => $"{stanza.Id} {stanza.From}"));
        var barriers = (await server.ConnectionAsync(0, Patience)).Barriers.Snapshot();
        Assert.Equal([0L, 1L], barriers.Select(barrier => barrier.Order));
    }

    [Fact]
    public async Task A_message_to_the_address_that_nobody_has_comes_back_and_is_not_recorded()
    {
        await using var server = new ScriptedXmppServer();
        await using var peer = await ConnectAsync(server);

        await peer.SendAsync(
            Message("m-0") + Message("m-1").Replace("ada@", "nobody@", StringComparison.Ordinal)
            + Message("m-2").Replace("ada@", "nobody@elsewhere.", StringComparison.Ordinal) + Ping("end"));

        await peer.Received.FirstAsync(stanza => stanza.Id == "end", Patience);
        Assert.Equal(["m-0", "m-2"], server.Received.Snapshot().Where(stanza => stanza.Id != "end").Select(stanza => stanza.Id));
        var back = Assert.Single(peer.Received.Snapshot(), stanza => stanza.Id != "end");
        Assert.Equal(("error", "m-1", "nobody@example.test", Component), (back.Type, back.Id, back.From, back.To));
    }

    [Theory]
    [MemberData(nameof(Endings))]
    public async Task A_poison_stanza_ends_the_stream_and_drops_what_is_behind_it(
        ServerReaction reaction, string cause, string? condition)
    {
        var poison = ServerFault.OnStanza(stanza => stanza.Id == "m-2", reaction, "invalid-xml");
        await using var server = new ScriptedXmppServer { Script = new ServerScript { Faults = [poison] } };
        await using var peer = await ConnectAsync(server);

        await peer.SendAsync(string.Concat(Enumerable.Range(0, 1_000).Select(i => Message($"m-{i}"))));

        Assert.Equal(new StreamEnding(cause, condition), await peer.Ended.WaitAsync(Patience));
        Assert.Equal(["m-0", "m-1"], server.Received.Snapshot().Select(stanza => stanza.Id));
    }

    [Theory]
    [InlineData(ServerMoment.BeforeHeader)]
    [InlineData(ServerMoment.AfterHeader)]
    [InlineData(ServerMoment.AtHandshake)]
    public async Task A_refusal_strikes_at_its_moment_and_only_on_the_scripted_connection(ServerMoment moment)
    {
        await using var server = new ScriptedXmppServer();
        server.Enqueue(new ServerScript { Faults = [ServerFault.At(moment, ServerReaction.StreamError, "conflict")] });

        await Assert.ThrowsAsync<InvalidOperationException>(() => ConnectAsync(server));
        await using var second = await ConnectAsync(server);

        Assert.Equal("conflict", (await (await server.ConnectionAsync(0, Patience)).Ended).StreamError);
        Assert.True((await server.ConnectionAsync(1, Patience)).Established.IsCompletedSuccessfully);
    }

    [Theory]
    [InlineData(ServerMoment.BeforeHeader)]
    [InlineData(ServerMoment.AtHandshake)]
    [InlineData(ServerMoment.AfterHandshake)]
    public async Task A_silent_server_accepts_and_says_nothing_from_its_moment_on(ServerMoment moment)
    {
        await using var server = new ScriptedXmppServer
        {
            Script = new ServerScript { Faults = [ServerFault.At(moment, ServerReaction.Silence)] },
        };

        var connecting = ConnectAsync(server);
        if (moment != ServerMoment.AfterHandshake)
        {
            await Assert.ThrowsAsync<TimeoutException>(() => connecting.WaitAsync(Moment));
            return;
        }

        await using var peer = await connecting;
        await peer.SendAsync(Barrier("b1") + Message("m-0"));
        await server.Received.CountAsync(1, Patience);
        await Assert.ThrowsAsync<TimeoutException>(() => peer.Received.CountAsync(1, Moment));
    }

    [Fact]
    public async Task Late_barriers_come_late_and_in_order()
    {
        await using var server = new ScriptedXmppServer { Script = new ServerScript { BarrierDelay = Moment } };
        await using var peer = await ConnectAsync(server);

        var started = Stopwatch.GetTimestamp();
        await peer.SendAsync(Barrier("b1") + Barrier("b2"));
        await peer.Received.CountAsync(2, Patience);

        Assert.True(Stopwatch.GetElapsedTime(started) >= Moment);
        Assert.Equal(["b1", "b2"], peer.Received.Snapshot().Select(stanza => stanza.Id));
    }

    [Fact]
    public async Task A_slow_reader_takes_so_many_bytes_a_second()
    {
        await using var server = new ScriptedXmppServer { Script = new ServerScript { ReadBytesPerSecond = 100_000 } };
        await using var peer = await ConnectAsync(server);

        var started = Stopwatch.GetTimestamp();
        await peer.SendAsync(Message("m-0", new string('x', 30_000)));
        await server.Received.CountAsync(1, Patience);

        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalSeconds, 0.25, 5);
    }

    [Fact]
    public async Task A_wrong_secret_is_not_authorized()
    {
        await using var server = new ScriptedXmppServer();

        await Assert.ThrowsAsync<InvalidOperationException>(
            () => XmppComponentPeer.ConnectAsync(server.Port, Component, "wrong"));

        Assert.Equal("not-authorized", (await (await server.ConnectionAsync(0, Patience)).Ended).StreamError);
    }

    [Theory]
    [InlineData(SecondConnection.Accepted)]
    [InlineData(SecondConnection.Refused)]
    [InlineData(SecondConnection.ReplacesFirst)]
    public async Task A_second_connection_meets_the_chosen_policy(SecondConnection policy)
    {
        await using var server = new ScriptedXmppServer(new ScriptedXmppServerOptions { SecondConnection = policy });
        await using var first = await ConnectAsync(server);

        if (policy == SecondConnection.Refused)
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => ConnectAsync(server));
            Assert.False(first.Ended.IsCompleted);
            return;
        }

        await using var second = await ConnectAsync(server);
        if (policy == SecondConnection.ReplacesFirst)
            Assert.Equal("conflict", (await first.Ended.WaitAsync(Patience)).StreamError);
        else
            Assert.False(first.Ended.IsCompleted);
    }

    [Fact]
    public async Task Uptime_is_told_as_scripted_and_survives_output_of_one_byte_at_a_time()
    {
        await using var server = new ScriptedXmppServer();
        await using var peer = await ConnectAsync(server);
        const string question = "<iq type='get' from='bridge.example.test' to='example.test' id='{0}'>" +
            "<query xmlns='jabber:iq:last'/></iq>";

        var refused = await peer.RequestAsync(question.Replace("{0}", "u1", StringComparison.Ordinal), "u1");
        server.Script = new ServerScript
        {
            Uptime = UptimeAnswer.Seconds,
            StartedAt = DateTimeOffset.UtcNow.AddSeconds(-100),
            WriteChunk = 1,
        };
        var told = await peer.RequestAsync(question.Replace("{0}", "u2", StringComparison.Ordinal), "u2");

        Assert.Equal("error", refused.Type);
        Assert.InRange(int.Parse(told.Element.Elements().Single().Attribute("seconds")!.Value), 100, 110);
        Assert.Equal(0, server.Received.Count);
    }

    [Fact]
    public async Task A_server_that_stops_reading_takes_nothing_more_until_it_reads_again()
    {
        await using var server = new ScriptedXmppServer(new ScriptedXmppServerOptions { ReceiveBuffer = 4096 });
        server.Script = new ServerScript { Faults = [ServerFault.AfterStanzas(1, ServerReaction.StopReading)] };
        await using var peer = await ConnectAsync(server);
        var big = new string('x', 16 * 1024 * 1024);

        var sending = peer.SendAsync(Message("m-0") + Message("m-1") + Message("m-2", big)).AsTask();
        await server.Received.CountAsync(1, Patience);
        await Assert.ThrowsAsync<TimeoutException>(() => sending.WaitAsync(TimeSpan.FromMilliseconds(200)));
        server.Script = new ServerScript();
        (await server.ConnectionAsync(0, Patience)).ResumeReading();

        await sending.WaitAsync(Patience);
        await server.Received.CountAsync(2, Patience);
        Assert.Equal(["m-0", "m-2"], server.Received.Snapshot().Select(stanza => stanza.Id));
    }

    [Fact]
    public async Task A_tally_finds_what_is_missing_repeated_and_reordered()
    {
        await using var server = new ScriptedXmppServer(new ScriptedXmppServerOptions { CountsOnly = true });
        await using var peer = await ConnectAsync(server);

        await peer.SendAsync(string.Concat(
            new[] { "m-0", "m-1", "m-1", "m-4", "m-3", "without" }.Select(id => Message(id))) + Ping("end"));
        await peer.Received.FirstAsync(stanza => stanza.Id == "end", Patience);

        var tally = server.Tally;
        Assert.Equal((7, 4, 1, 1, 1, 2), (
            tally.Count, tally.Distinct, tally.Repeated, tally.Reordered, tally.Missing, tally.Unnumbered));
    }

    [Fact]
    public async Task Half_a_million_stanzas_a_second_are_counted()
    {
        const int count = 400_000;
        await using var server = new ScriptedXmppServer(new ScriptedXmppServerOptions { CountsOnly = true });
        await using var peer = await ConnectAsync(server);
        var body = new string('x', 200);
        var flood = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, count).Select(i => Message($"m-{i}", body))));

        var started = Stopwatch.GetTimestamp();
        await peer.SendAsync(flood);
        await server.Tally.DistinctAsync(count, TimeSpan.FromSeconds(30));
        var rate = count / Stopwatch.GetElapsedTime(started).TotalSeconds;

        output.WriteLine($"{rate:F0} stanzas/s of {flood.Length / count} bytes into the counting server");
        Assert.Equal((count, 0L, 0L), (server.Tally.Count, server.Tally.Missing, server.Tally.Reordered));
    }

    [Fact]
    public async Task A_peer_records_a_flood_whole_and_in_order()
    {
        const int count = 200_000;
        await using var server = new ScriptedXmppServer();
        await using var peer = await ConnectAsync(server);
        var body = new string('x', 200);
        var flood = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, count).Select(i => Message($"m-{i}", body))));

        var started = Stopwatch.GetTimestamp();
        (await server.ConnectionAsync(0, Patience)).Send(flood);
        await peer.Received.CountAsync(count, TimeSpan.FromSeconds(30));
        var rate = count / Stopwatch.GetElapsedTime(started).TotalSeconds;

        output.WriteLine($"{rate:F0} stanzas/s recorded by a peer");
        Assert.Equal(
            Enumerable.Range(0, count).Select(i => $"m-{i}"), peer.Received.Snapshot().Select(stanza => stanza.Id));
    }

    private static Task<XmppComponentPeer> ConnectAsync(ScriptedXmppServer server) =>
        XmppComponentPeer.ConnectAsync(server.Port, Component, server.Options.Secret);

    private static string Message(string id, string body = "hi") =>
        $"<message from='{Component}' to='ada@example.test' id='{id}'><body>{body}</body></message>";

    private static string Barrier(string id) =>
        $"<iq type='get' from='{Component}' to='{Component}' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>";

    // The server's domain refuses it: an answer behind everything sent before.
    private static string Ping(string id) =>
        $"<iq type='get' from='{Component}' to='example.test' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>";
}
