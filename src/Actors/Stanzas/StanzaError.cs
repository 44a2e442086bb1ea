using System.Collections.Frozen;

namespace Bridge.Stanzas;

/// <summary>The type of a stanza error, RFC 6120 §8.3.2: what the sender may do about it.</summary>
public enum StanzaErrorType
{
    /// <summary>The error has no type, or one that RFC 6120 does not define.</summary>
    Unknown = 0,

    /// <summary>Retry after providing credentials.</summary>
    Auth,

    /// <summary>Do not retry: the error cannot be remedied.</summary>
    Cancel,

    /// <summary>Proceed: the condition was only a warning.</summary>
    Continue,

    /// <summary>Retry after changing the data sent.</summary>
    Modify,

    /// <summary>Retry after waiting: the error is temporary.</summary>
    Wait,
}

/// <summary>The conditions of a stanza error, RFC 6120 §8.3.3: a closed set.</summary>
public enum StanzaErrorCondition
{
    /// <summary>The error has no condition, or one that RFC 6120 does not define.</summary>
    Unknown = 0,

    /// <summary>RFC 6120 §8.3.3.1: the stanza does not conform to its schema.</summary>
    BadRequest,

    /// <summary>RFC 6120 §8.3.3.2: a resource or session of that name exists already.</summary>
    Conflict,

    /// <summary>RFC 6120 §8.3.3.3: the recipient or server does not implement the feature.</summary>
    FeatureNotImplemented,

    /// <summary>RFC 6120 §8.3.3.4: the sender may not do this.</summary>
    Forbidden,

    /// <summary>RFC 6120 §8.3.3.5: the recipient is no longer at this address.</summary>
    Gone,

    /// <summary>RFC 6120 §8.3.3.6: the server failed in itself.</summary>
    InternalServerError,

    /// <summary>RFC 6120 §8.3.3.7: the addressed JID or item is not there.</summary>
    ItemNotFound,

    /// <summary>RFC 6120 §8.3.3.8: the address violates the rules of RFC 7622.</summary>
    JidMalformed,

    /// <summary>RFC 6120 §8.3.3.9: the recipient does not accept the request's criteria.</summary>
    NotAcceptable,

    /// <summary>RFC 6120 §8.3.3.10: nobody is allowed to do this.</summary>
    NotAllowed,

    /// <summary>RFC 6120 §8.3.3.11: credentials are needed first.</summary>
    NotAuthorized,

    /// <summary>RFC 6120 §8.3.3.12: a local policy was broken.</summary>
    PolicyViolation,

    /// <summary>RFC 6120 §8.3.3.13: the recipient is temporarily not there.</summary>
    RecipientUnavailable,

    /// <summary>RFC 6120 §8.3.3.14: the recipient is, for now, at another address.</summary>
    Redirect,

    /// <summary>RFC 6120 §8.3.3.15: registration is needed first.</summary>
    RegistrationRequired,

    /// <summary>RFC 6120 §8.3.3.16: the remote server does not exist or cannot be resolved.</summary>
    RemoteServerNotFound,

    /// <summary>RFC 6120 §8.3.3.17: the remote server could not be reached in time.</summary>
    RemoteServerTimeout,

    /// <summary>RFC 6120 §8.3.3.18: the server or recipient lacks resources.</summary>
    ResourceConstraint,

    /// <summary>RFC 6120 §8.3.3.19: the server or recipient does not provide the service.</summary>
    ServiceUnavailable,

    /// <summary>RFC 6120 §8.3.3.20: a subscription is needed first.</summary>
    SubscriptionRequired,

    /// <summary>RFC 6120 §8.3.3.21: a condition of the sender's own, told beside this one.</summary>
    UndefinedCondition,

    /// <summary>RFC 6120 §8.3.3.22: the request came at the wrong moment.</summary>
    UnexpectedRequest,
}

/// <summary>The content of an <c>&lt;error/&gt;</c> child, RFC 6120 §8.3.</summary>
/// <param name="Type">What the sender may do.</param>
/// <param name="Condition">What went wrong.</param>
/// <param name="Text">The words of whoever sent the error; null where there are none. Bounded by the reader.</param>
public sealed record StanzaError(StanzaErrorType Type, StanzaErrorCondition Condition, string? Text)
{
    /// <summary>Namespace of the conditions, RFC 6120 §8.3.2.</summary>
    public const string Namespace = "urn:ietf:params:xml:ns:xmpp-stanzas";

    // The rows stand in the enums' order; a test holds them to it.
    private static readonly string[] TypeNames = ["unknown", "auth", "cancel", "continue", "modify", "wait"];

    private static readonly string[] ConditionNames =
    [
        "unknown", "bad-request", "conflict", "feature-not-implemented", "forbidden", "gone",
        "internal-server-error", "item-not-found", "jid-malformed", "not-acceptable", "not-allowed",
        "not-authorized", "policy-violation", "recipient-unavailable", "redirect", "registration-required",
        "remote-server-not-found", "remote-server-timeout", "resource-constraint", "service-unavailable",
        "subscription-required", "undefined-condition", "unexpected-request",
    ];

    private static readonly FrozenDictionary<string, StanzaErrorType> TypeByName =
        TypeNames.Index().Skip(1).ToFrozenDictionary(row => row.Item, row => (StanzaErrorType)row.Index, StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, StanzaErrorCondition> ConditionByName =
        ConditionNames.Index().Skip(1).ToFrozenDictionary(row => row.Item, row => (StanzaErrorCondition)row.Index, StringComparer.Ordinal);

    /// <summary>The value of the <c>type</c> attribute; <c>unknown</c>, which is on no wire, for Unknown.</summary>
    public static string WireName(StanzaErrorType type) => TypeNames[(int)type];

    /// <summary>The condition's element name; <c>unknown</c>, which is on no wire, for Unknown.</summary>
    public static string WireName(StanzaErrorCondition condition) => ConditionNames[(int)condition];

    /// <summary>The type of this attribute value, case-sensitive; Unknown for any other.</summary>
    public static StanzaErrorType TypeFromWireName(string wireName) =>
        TypeByName.GetValueOrDefault(wireName, StanzaErrorType.Unknown);

    /// <summary>The condition of this element name, case-sensitive; Unknown for any other.</summary>
    public static StanzaErrorCondition ConditionFromWireName(string wireName) =>
        ConditionByName.GetValueOrDefault(wireName, StanzaErrorCondition.Unknown);
}
