using Bridge.Stanzas;
using static Bridge.Stanzas.StreamErrorClass;
using static Bridge.Stanzas.StreamErrorCondition;

namespace Bridge.Actors.Tests.Stanzas;

public class StreamErrorTests
{
    // RFC 6120 §4.9.3, in the order of its subsections.
    public static TheoryData<string, StreamErrorCondition, StreamErrorClass> Conditions => new()
    {
        { "bad-format", BadFormat, NamesAStanzaFault },
        { "bad-namespace-prefix", BadNamespacePrefix, NamesAStanzaFault },
        { "conflict", StreamErrorCondition.Conflict, StreamErrorClass.Conflict },
        { "connection-timeout", ConnectionTimeout, Transient },
        { "host-gone", HostGone, Refused },
        { "host-unknown", HostUnknown, Refused },
        { "improper-addressing", ImproperAddressing, NamesAStanzaFault },
        { "internal-server-error", InternalServerError, Transient },
        { "invalid-from", InvalidFrom, NamesAStanzaFault },
        { "invalid-namespace", InvalidNamespace, NamesAStanzaFault },
        { "invalid-xml", InvalidXml, NamesAStanzaFault },
        { "not-authorized", NotAuthorized, Refused },
        { "not-well-formed", NotWellFormed, NamesAStanzaFault },
        { "policy-violation", PolicyViolation, NamesAStanzaFault },
        { "remote-connection-failed", RemoteConnectionFailed, Transient },
        { "reset", Reset, Transient },
        { "resource-constraint", ResourceConstraint, Transient },
        { "restricted-xml", RestrictedXml, NamesAStanzaFault },
        { "see-other-host", SeeOtherHost, Transient },
        { "system-shutdown", SystemShutdown, Transient },
        { "undefined-condition", UndefinedCondition, Transient },
        { "unsupported-encoding", UnsupportedEncoding, NamesAStanzaFault },
        { "unsupported-feature", UnsupportedFeature, Refused },
        { "unsupported-stanza-type", UnsupportedStanzaType, NamesAStanzaFault },
        { "unsupported-version", UnsupportedVersion, Refused },
    };

    [Theory]
    [MemberData(nameof(Conditions))]
    public void A_condition_has_its_wire_name_and_its_class(string wire, StreamErrorCondition condition, StreamErrorClass expected)
    {
        Assert.Equal(condition, StreamError.FromWireName(wire));
        Assert.Equal(wire, StreamError.WireName(condition));
        Assert.Equal(expected, new StreamError(condition, null).Class);
    }

    [Fact]
    public void The_table_of_this_test_holds_every_condition() =>
        Assert.Equal(
            Enum.GetValues<StreamErrorCondition>().Where(condition => condition != Unknown).Order(),
            Conditions.Select(row => (StreamErrorCondition)row[1]).Order());

    [Fact]
    public void Every_condition_has_advice_of_its_own()
    {
        var advice = Enum.GetValues<StreamErrorCondition>().Select(StreamError.AdviceFor).ToArray();
        Assert.All(advice, text => Assert.EndsWith(".", text, StringComparison.Ordinal));
        Assert.Equal(advice.Length, advice.Distinct().Count());
    }

    [Theory]
    [InlineData("unknown")]
    [InlineData("Conflict")]
    [InlineData("xml-not-well-formed")]
    [InlineData("")]
    public void A_name_outside_the_RFC_is_unknown_and_transient(string wire)
    {
        Assert.Equal(Unknown, StreamError.FromWireName(wire));
        Assert.Equal(Transient, StreamError.ClassOf(Unknown));
    }

    [Fact]
    public void A_number_that_is_no_condition_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => StreamError.WireName((StreamErrorCondition)99));
}
