using System.Text;
using System.Xml.Linq;
using Bridge.Fuzz.Tests.Corpora;
using Bridge.Stanzas;
using Xunit.Abstractions;

namespace Bridge.Fuzz.Tests;

/// <summary>
/// Hostile and unusual inputs in great number. <c>BRIDGE_FUZZ_CASES</c> says how many (500,000
/// otherwise); a failure prints the <c>BRIDGE_TEST_SEED</c> that repeats it at once, as one of the
/// first 25,000 cases.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper log)
{
    // Below, a run is too short to meet everything.
    private const long CasesThatMeetEverything = 100_000;

    // Below, shares are chance.
    private const long CasesThatTellShares = 10_000;

    /// <summary>Reasons that raw XML must cause in a long run.</summary>
    private static readonly RejectionReason[] ReasonsOfStanzas =
    [
        RejectionReason.EmptyPayload, RejectionReason.UnknownPayloadKind, RejectionReason.ByteOrderMark, RejectionReason.NotUtf8, RejectionReason.Oversize,
        RejectionReason.NotWellFormed, RejectionReason.NotAStanza, RejectionReason.TrailingContent, RejectionReason.Doctype, RejectionReason.ProcessingInstruction,
        RejectionReason.Comment, RejectionReason.ForbiddenCharacter, RejectionReason.UndeclaredEntity, RejectionReason.UndeclaredPrefix, RejectionReason.MisusedPrefix,
        RejectionReason.TooManyPrefixes, RejectionReason.InvalidNamespace, RejectionReason.DuplicateAttribute, RejectionReason.TooDeep, RejectionReason.TooManyAttributes,
        RejectionReason.PrefixedStanza, RejectionReason.NameNotAscii, RejectionReason.ForeignNamespace, RejectionReason.MissingTo, RejectionReason.InvalidTo,
        RejectionReason.InvalidFrom, RejectionReason.ForeignFrom, RejectionReason.InvalidIqType, RejectionReason.InvalidIqPayload, RejectionReason.InvalidId,
    ];

    /// <summary>Reasons that JSON must cause in a long run.</summary>
    private static readonly RejectionReason[] ReasonsOfEnvelopes =
    [
        RejectionReason.JsonMalformed, RejectionReason.JsonUnknownField, RejectionReason.JsonWrongType, RejectionReason.JsonMissingTo, RejectionReason.JsonConflictingFields,
        RejectionReason.JsonDuplicateField, RejectionReason.JsonInvalidValue, RejectionReason.JsonStanzaInvalid, RejectionReason.JsonXmlInvalid, RejectionReason.Expired,
        RejectionReason.ForbiddenCharacter, RejectionReason.NotUtf8, RejectionReason.Oversize, RejectionReason.InvalidTo, RejectionReason.InvalidFrom, RejectionReason.ForeignFrom,
    ];

    [Fact]
    public async Task Raw_payloads_become_exactly_one_stanza_that_says_the_same_or_are_refused()
    {
        var run = new FuzzRun(() => new EncoderTarget(envelopes: false));

        log.WriteLine(await run.ExecuteAsync(FuzzSettings.Seed, FuzzSettings.Cases / 2));

        Assert.True(run.Failures.Count == 0, string.Join(Environment.NewLine, run.Failures));
        AssertNeitherTooMuchNorTooLittlePasses(run);
        if (run.Cases >= CasesThatMeetEverything)
            Assert.Empty(ReasonsOfStanzas.Select(reason => reason.WireName()).Except(run.Verdicts.Keys));
    }

    [Fact]
    public async Task Envelopes_become_exactly_one_stanza_that_says_what_they_ask_for_or_are_refused()
    {
        var run = new FuzzRun(() => new EncoderTarget(envelopes: true));

        log.WriteLine(await run.ExecuteAsync(FuzzSettings.Seed, FuzzSettings.Cases * 3 / 10));

        Assert.True(run.Failures.Count == 0, string.Join(Environment.NewLine, run.Failures));
        AssertNeitherTooMuchNorTooLittlePasses(run);
        if (run.Cases >= CasesThatMeetEverything)
        {
            Assert.Empty(ReasonsOfEnvelopes.Select(reason => reason.WireName()).Except(run.Verdicts.Keys));
            Assert.Contains("json-xml-invalid: missing-namespace", run.Verdicts.Keys);
            Assert.Contains("json-xml-invalid: leading-content", run.Verdicts.Keys);
        }
    }

    [Fact]
    public async Task Streams_are_told_the_same_however_they_are_cut_and_break_nothing()
    {
        var run = new FuzzRun(() => new ReaderTarget());

        log.WriteLine(await run.ExecuteAsync(FuzzSettings.Seed, FuzzSettings.Cases / 5));

        Assert.True(run.Failures.Count == 0, string.Join(Environment.NewLine, run.Failures));
        AssertNeitherTooMuchNorTooLittlePasses(run);
    }

    [Fact]
    public void What_another_library_writes_as_a_plain_stanza_is_accepted()
    {
        var random = new Random(FuzzSettings.Seed);
        log.WriteLine($"BRIDGE_TEST_SEED={FuzzSettings.Seed}");
        for (var i = 0; i < 5000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(60)).Select(_ => random.Character().ToString()));
            var payload = new XElement(
                "message",
                new XAttribute("to", "a@b"),
                new XAttribute("id", "i" + text),
                new XElement("body", text),
                new XElement(XName.Get("x", "urn:x"), new XAttribute("a", text))).ToString();

            var outcome = new EncoderTarget(envelopes: false).Examine(Encoding.UTF8.GetBytes(payload));

            Assert.True(outcome.Passed && outcome.Fault is null, $"{outcome}: {payload}");
        }
    }

    // A fuzz that everything or nothing passes would prove nothing.
    private static void AssertNeitherTooMuchNorTooLittlePasses(FuzzRun run)
    {
        if (run.Cases < CasesThatTellShares)
            return;
        Assert.InRange((double)run.Passed / run.Cases, 0.3, 0.8);
        Assert.InRange((double)run.MadeToPass / run.Cases, 0.25, 0.35);
    }
}
