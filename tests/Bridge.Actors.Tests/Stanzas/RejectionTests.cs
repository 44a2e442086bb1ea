using System.Text.RegularExpressions;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Stanzas;

public sealed partial class RejectionTests
{
    /// <summary>Dead letters in production carry these: a changed line here is a broken promise.</summary>
    private const string WireNames =
        "none empty-payload unknown-payload-kind byte-order-mark not-utf8 oversize not-well-formed not-a-stanza trailing-content "
        + "leading-content doctype processing-instruction comment forbidden-character undeclared-entity undeclared-prefix misused-prefix "
        + "too-many-prefixes invalid-namespace duplicate-attribute too-deep too-many-attributes prefixed-stanza name-not-ascii "
        + "foreign-namespace missing-namespace missing-to invalid-to invalid-from foreign-from invalid-iq-type invalid-iq-payload "
        + "invalid-id json-malformed json-unknown-field json-wrong-type json-missing-to json-conflicting-fields json-duplicate-field "
        + "json-invalid-value json-stanza-invalid json-xml-invalid expired writer-failed convicted trimmed duplicate";

    [Fact]
    public void The_wire_names_never_change() =>
        Assert.Equal(WireNames.Split(' '), Enum.GetValues<RejectionReason>().Select(reason => reason.WireName()));

    [Fact]
    public void The_wire_names_are_kebab_case_and_unlike() =>
        Assert.All(WireNames.Split(' ').CountBy(name => name), name =>
        {
            Assert.Matches(KebabCase(), name.Key);
            Assert.Equal(1, name.Value);
        });

    [Theory]
    [InlineData(-1)]
    [InlineData(1000)]
    public void A_number_that_is_no_reason_has_no_name(int reason) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => ((RejectionReason)reason).WireName());

    [GeneratedRegex("^[a-z0-9]+(-[a-z0-9]+)*$")]
    private static partial Regex KebabCase();
}
