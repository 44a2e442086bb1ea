using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Bridge.Stanzas;
using Xunit.Abstractions;
using static Bridge.Actors.Tests.Stanzas.EncoderFixture;

namespace Bridge.Actors.Tests.Stanzas;

/// <summary>
/// The scanner may refuse too much, never accept too much: whatever it lets through must be one
/// stanza to other parsers too. <c>BRIDGE_TEST_SEED</c> repeats a run, <c>BRIDGE_FUZZ_CASES</c>
/// sets its length.
/// </summary>
public sealed class StanzaFirewallFuzzTests(ITestOutputHelper log)
{
    private const int CasesPerSeed = 1000;

    private static readonly int Seed = FromEnvironment("BRIDGE_TEST_SEED", Environment.TickCount & 0xFFFFFF);
    private static readonly int Cases = FromEnvironment("BRIDGE_FUZZ_CASES", 300_000);

    [Fact]
    public void Whatever_is_accepted_is_exactly_one_stanza_to_XmlReader()
    {
        log.WriteLine($"BRIDGE_TEST_SEED={Seed} BRIDGE_FUZZ_CASES={Cases}");
        var accepted = 0;
        var rare = 0;
        var reasons = new ConcurrentDictionary<RejectionReason, int>();
        var mistakes = new ConcurrentQueue<string>();

        Parallel.For(0, (Cases + CasesPerSeed - 1) / CasesPerSeed, block =>
        {
            var seed = Seed + block;
            var mutator = new StanzaMutator(seed);
            var output = new ArrayBufferWriter<byte>();
            for (var i = 0; i < CasesPerSeed; i++)
            {
                var payload = mutator.Next();
                output.ResetWrittenCount();
                var result = EntryEncoder.Encode(Entry(payload, (i & 1) == 0 ? Now.AddMinutes(-1) : null), output, Now);
                reasons.AddOrUpdate(result.Rejection.Reason, 1, static (_, count) => count + 1);
                if (!result.Accepted)
                {
                    if (output.WrittenCount > 0 || result.Rejection.Offset > payload.Length || string.IsNullOrEmpty(result.Rejection.Detail))
                        mistakes.Enqueue($"seed {seed}: rejected badly: {result.Rejection}: {Printable(payload)}");
                    if (GrammarReasons.Contains(result.Rejection.Reason) && StreamParse.IsOneElement(payload))
                        mistakes.Enqueue($"seed {seed}: well-formed to XmlReader, but: {result.Rejection}: {Printable(payload)}");
                    continue;
                }

                Interlocked.Increment(ref accepted);
                if (payload.AsSpan().IndexOf("xmlns:"u8) >= 0 || payload.AsSpan().IndexOf("<![CDATA["u8) >= 0)
                    Interlocked.Increment(ref rare);
                if (StreamParse.Mistake(output.WrittenSpan) is { } mistake)
                    mistakes.Enqueue($"seed {seed}: {mistake}: {Printable(payload)}");
            }
        });

        foreach (var (reason, count) in reasons.OrderByDescending(pair => pair.Value))
            log.WriteLine($"{count,8} {reason.WireName()}");
        Assert.Empty(mistakes);

        // A fuzz that everything or nothing passes would prove nothing.
        Assert.InRange((double)accepted / Cases, 0.25, 0.75);
        Assert.InRange((double)rare / Cases, 0.05, 0.5);
        if (Cases >= 100_000)
            Assert.Empty(Expected.Except(reasons.Keys));
    }

    /// <summary>Reasons on which XmlReader must agree; the others are stricter than XML on purpose.</summary>
    private static readonly HashSet<RejectionReason> GrammarReasons =
    [
        RejectionReason.NotUtf8, RejectionReason.NotWellFormed, RejectionReason.TrailingContent, RejectionReason.Doctype,
        RejectionReason.ForbiddenCharacter, RejectionReason.UndeclaredEntity, RejectionReason.UndeclaredPrefix, RejectionReason.DuplicateAttribute,
    ];

    /// <summary>Reasons that a long enough run must come across.</summary>
    private static readonly RejectionReason[] Expected =
    [
        .. GrammarReasons,
        RejectionReason.None, RejectionReason.UnknownPayloadKind, RejectionReason.ByteOrderMark, RejectionReason.Oversize, RejectionReason.NotAStanza,
        RejectionReason.ProcessingInstruction, RejectionReason.Comment, RejectionReason.MisusedPrefix, RejectionReason.InvalidNamespace,
        RejectionReason.TooDeep, RejectionReason.PrefixedStanza, RejectionReason.NameNotAscii, RejectionReason.ForeignNamespace, RejectionReason.MissingTo,
        RejectionReason.InvalidTo, RejectionReason.InvalidFrom, RejectionReason.ForeignFrom, RejectionReason.InvalidIqType, RejectionReason.InvalidIqPayload,
    ];

    [Fact]
    public void What_XmlReader_reads_as_a_plain_stanza_is_accepted()
    {
        // The other direction, for the common shapes: a firewall that refuses everything is no use.
        var accepted = 0;
        var random = new Random(Seed);
        log.WriteLine($"BRIDGE_TEST_SEED={Seed}");
        for (var i = 0; i < 5000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(60)).Select(_ => new Rune(random.Next(0x20, 0xD800))));
            var payload = new System.Xml.Linq.XElement(
                "message",
                new System.Xml.Linq.XAttribute("to", "a@b"),
                new System.Xml.Linq.XAttribute("id", "i" + text),
                new System.Xml.Linq.XElement("body", text),
                new System.Xml.Linq.XElement(System.Xml.Linq.XName.Get("x", "urn:x"), new System.Xml.Linq.XAttribute("a", text))).ToString();

            var (result, output) = Encode(Encoding.UTF8.GetBytes(payload));

            Assert.True(result.Accepted, $"{result.Rejection}: {payload}");
            Assert.Null(StreamParse.Mistake(output));
            accepted++;
        }

        Assert.Equal(5000, accepted);
    }

    [Fact]
    public void Envelopes_never_become_anything_but_one_stanza()
    {
        log.WriteLine($"BRIDGE_TEST_SEED={Seed}");
        var mutator = new StanzaMutator(Seed);
        var random = new Random(Seed);
        var accepted = 0;
        const int Envelopes = 30_000;
        for (var i = 0; i < Envelopes; i++)
        {
            var stanza = Encoding.UTF8.GetString(mutator.Next());
            var json = JsonSerializer.SerializeToUtf8Bytes(random.Next(4) switch
            {
                0 => new Dictionary<string, object> { ["stanza"] = stanza },
                1 => new Dictionary<string, object> { ["to"] = "a@b", ["xml"] = new[] { stanza.Replace("<message", "<message xmlns='urn:x'", StringComparison.Ordinal) } },
                2 => new Dictionary<string, object> { ["to"] = "a@b", ["body"] = stanza, ["subject"] = stanza },
                _ => new Dictionary<string, object> { ["to"] = "a@b/" + stanza, ["id"] = stanza, ["thread"] = stanza },
            });
            if (random.Next(10) == 0)
                json[random.Next(json.Length)] ^= (byte)(1 << random.Next(8));

            var (result, output) = Encode(json);

            if (result.Accepted)
            {
                accepted++;
                Assert.True(StreamParse.Mistake(output) is null, $"seed {Seed}: {StreamParse.Mistake(output)}: {Printable(json)}");
            }
            else
            {
                Assert.InRange(result.Rejection.Offset, -1, json.Length);
                Assert.Empty(output);
            }
        }

        log.WriteLine($"{accepted} of {Envelopes} accepted");
        Assert.InRange(accepted, Envelopes / 4, Envelopes * 9 / 10);
    }

    [Fact]
    public async Task Whatever_is_accepted_is_exactly_one_stanza_to_expat()
    {
        // The parser of Prosody and ejabberd, as Python has it.
        log.WriteLine($"BRIDGE_TEST_SEED={Seed}");
        var mutator = new StanzaMutator(Seed);
        var accepted = new List<byte[]>();
        while (accepted.Count < 6000)
        {
            var (result, output) = Encode(mutator.Next());
            if (result.Accepted)
                accepted.Add(output);
        }

        // One that must be refused, so that a script that says nothing is noticed.
        accepted.Add("<message to='a@b'/><message to='a@b'/>"u8.ToArray());

        var answers = await ExpatAsync(accepted);

        Assert.Equal(accepted.Count, answers.Length);
        Assert.Equal("2 stanzas", answers[^1]);
        var wrong = answers[..^1].Index().Where(answer => answer.Item != "ok").Select(answer => $"{answer.Item}: {Printable(accepted[answer.Index])}");
        Assert.Empty(wrong);
    }

    /// <summary>Reads length-prefixed stanzas, each inside a stream of its own, and says a line about each.</summary>
    private const string ExpatScript =
        """
        import struct, sys
        from xml.parsers import expat
        data = sys.stdin.buffer
        while len(head := data.read(4)) == 4:
            body = data.read(struct.unpack('>I', head)[0])
            state = {'depth': 0, 'stanzas': [], 'fault': None}
            def start(name, attributes):
                if state['depth'] == 1:
                    state['stanzas'].append((name, attributes))
                elif state['depth'] > 1 and name.startswith('http://etherx.jabber.org/streams'):
                    state['fault'] = 'stream-level markup'
                state['depth'] += 1
            def end(name):
                state['depth'] -= 1
            def text(chars):
                if state['depth'] == 1:
                    state['fault'] = 'text beside the stanza'
            def refuse(*_):
                state['fault'] = 'restricted XML'
            # ejabberd joins namespace and name by a line feed, and so do we: expat refuses one inside a name.
            parser = expat.ParserCreate('UTF-8', '\n')
            parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
            parser.CommentHandler = parser.ProcessingInstructionHandler = parser.StartDoctypeDeclHandler = refuse
            try:
                parser.Parse(b"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'>", False)
                parser.Parse(body, False)
                if state['depth'] != 1:
                    state['fault'] = 'depth %d behind the stanza' % state['depth']
                parser.Parse(b'</stream:stream>', True)
            except expat.ExpatError as e:
                state['fault'] = str(e)
            if state['fault'] is None and len(state['stanzas']) != 1:
                state['fault'] = '%d stanzas' % len(state['stanzas'])
            if state['fault'] is None:
                name, attributes = state['stanzas'][0]
                domain = attributes.get('from', '').split('/')[0].split('@')[-1]
                if name not in ['jabber:component:accept\n' + n for n in ('message', 'presence', 'iq')]:
                    state['fault'] = 'name ' + repr(name)
                elif domain not in ('app.example', 'other.example') or not attributes.get('to') or not attributes.get('id'):
                    state['fault'] = 'addresses ' + repr(attributes)
            print(state['fault'] or 'ok')
        """;

    private static async Task<string[]> ExpatAsync(List<byte[]> stanzas)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var python = Process.Start(new ProcessStartInfo("python3", ["-c", ExpatScript])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        })!;
        try
        {
            var answers = python.StandardOutput.ReadToEndAsync(deadline.Token);
            var errors = python.StandardError.ReadToEndAsync(deadline.Token);
            var input = python.StandardInput.BaseStream;
            var length = new byte[4];
            foreach (var stanza in stanzas)
            {
                BinaryPrimitives.WriteInt32BigEndian(length, stanza.Length);
                await input.WriteAsync(length, deadline.Token);
                await input.WriteAsync(stanza, deadline.Token);
            }

            python.StandardInput.Close();
            await python.WaitForExitAsync(deadline.Token);
            Assert.Equal("", await errors);
            return (await answers).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
        finally
        {
            if (!python.HasExited)
                python.Kill();
        }
    }

    private static string Printable(byte[] bytes)
    {
        var text = new StringBuilder();
        foreach (var b in bytes.Take(2000))
            text.Append(b is >= 0x20 and < 0x7F ? ((char)b).ToString() : $"\\x{b:X2}");
        return text.ToString();
    }

    private static int FromEnvironment(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : otherwise;
}
