using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Stanzas;

public class StanzaErrorTests
{
    public static TheoryData<string, StanzaErrorCondition> Conditions => new()
    {
        { "bad-request", StanzaErrorCondition.BadRequest },
        { "conflict", StanzaErrorCondition.Conflict },
        { "feature-not-implemented", StanzaErrorCondition.FeatureNotImplemented },
        { "forbidden", StanzaErrorCondition.Forbidden },
        { "gone", StanzaErrorCondition.Gone },
        { "internal-server-error", StanzaErrorCondition.InternalServerError },
        { "item-not-found", StanzaErrorCondition.ItemNotFound },
        { "jid-malformed", StanzaErrorCondition.JidMalformed },
        { "not-acceptable", StanzaErrorCondition.NotAcceptable },
        { "not-allowed", StanzaErrorCondition.NotAllowed },
        { "not-authorized", StanzaErrorCondition.NotAuthorized },
        { "policy-violation", StanzaErrorCondition.PolicyViolation },
        { "recipient-unavailable", StanzaErrorCondition.RecipientUnavailable },
        { "redirect", StanzaErrorCondition.Redirect },
        { "registration-required", StanzaErrorCondition.RegistrationRequired },
        { "remote-server-not-found", StanzaErrorCondition.RemoteServerNotFound },
        { "remote-server-timeout", StanzaErrorCondition.RemoteServerTimeout },
        { "resource-constraint", StanzaErrorCondition.ResourceConstraint },
        { "service-unavailable", StanzaErrorCondition.ServiceUnavailable },
        { "subscription-required", StanzaErrorCondition.SubscriptionRequired },
        { "undefined-condition", StanzaErrorCondition.UndefinedCondition },
        { "unexpected-request", StanzaErrorCondition.UnexpectedRequest },
    };

    [Theory]
    [MemberData(nameof(Conditions))]
    public void A_condition_has_its_wire_name(string wire, StanzaErrorCondition condition)
    {
        Assert.Equal(condition, StanzaError.ConditionFromWireName(wire));
        Assert.Equal(wire, StanzaError.WireName(condition));
    }

    [Fact]
    public void The_table_of_this_test_holds_every_condition() =>
        Assert.Equal(
            Enum.GetValues<StanzaErrorCondition>().Where(condition => condition != StanzaErrorCondition.Unknown).Order(),
            Conditions.Select(row => (StanzaErrorCondition)row[1]).Order());

    [Theory]
    [InlineData("auth", StanzaErrorType.Auth)]
    [InlineData("cancel", StanzaErrorType.Cancel)]
    [InlineData("continue", StanzaErrorType.Continue)]
    [InlineData("modify", StanzaErrorType.Modify)]
    [InlineData("wait", StanzaErrorType.Wait)]
    public void A_type_has_its_wire_name(string wire, StanzaErrorType type)
    {
        Assert.Equal(type, StanzaError.TypeFromWireName(wire));
        Assert.Equal(wire, StanzaError.WireName(type));
    }

    [Theory]
    [InlineData("unknown")]
    [InlineData("Wait")]
    [InlineData("")]
    public void A_name_outside_the_RFC_is_unknown(string wire)
    {
        Assert.Equal(StanzaErrorType.Unknown, StanzaError.TypeFromWireName(wire));
        Assert.Equal(StanzaErrorCondition.Unknown, StanzaError.ConditionFromWireName(wire));
    }
}
