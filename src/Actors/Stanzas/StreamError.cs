using System.Collections.Frozen;

namespace Bridge.Stanzas;

/// <summary>The conditions of a stream error, RFC 6120 §4.9.3: a closed set.</summary>
public enum StreamErrorCondition
{
    /// <summary>The server sent a condition that RFC 6120 does not define, or none.</summary>
    Unknown = 0,

    /// <summary>RFC 6120 §4.9.3.1: XML that the server could not process.</summary>
    BadFormat,

    /// <summary>RFC 6120 §4.9.3.2: an unsupported namespace prefix, or none where one is needed.</summary>
    BadNamespacePrefix,

    /// <summary>RFC 6120 §4.9.3.3: another stream took this one's place, or stands in its way.</summary>
    Conflict,

    /// <summary>RFC 6120 §4.9.3.4: nothing came from us for longer than the server allows.</summary>
    ConnectionTimeout,

    /// <summary>RFC 6120 §4.9.3.5: the domain is no longer served here.</summary>
    HostGone,

    /// <summary>RFC 6120 §4.9.3.6: the domain is not served here.</summary>
    HostUnknown,

    /// <summary>RFC 6120 §4.9.3.7: a stanza lacks <c>to</c> or <c>from</c>, or has a malformed one.</summary>
    ImproperAddressing,

    /// <summary>RFC 6120 §4.9.3.8: the server failed in itself.</summary>
    InternalServerError,

    /// <summary>RFC 6120 §4.9.3.9: a stanza's <c>from</c> is not one that this stream may use.</summary>
    InvalidFrom,

    /// <summary>RFC 6120 §4.9.3.10: the stream's namespace is wrong.</summary>
    InvalidNamespace,

    /// <summary>RFC 6120 §4.9.3.11: XML that is invalid by the server's validation.</summary>
    InvalidXml,

    /// <summary>RFC 6120 §4.9.3.12: not authenticated, or not allowed to do what was tried.</summary>
    NotAuthorized,

    /// <summary>RFC 6120 §4.9.3.13: XML that is not well-formed.</summary>
    NotWellFormed,

    /// <summary>RFC 6120 §4.9.3.14: a local rule of the server was broken, for example its size limit.</summary>
    PolicyViolation,

    /// <summary>RFC 6120 §4.9.3.15: the server could not reach another server that it needs.</summary>
    RemoteConnectionFailed,

    /// <summary>RFC 6120 §4.9.3.16: the server closes the stream so that it is opened anew.</summary>
    Reset,

    /// <summary>RFC 6120 §4.9.3.17: the server lacks the resources to serve the stream.</summary>
    ResourceConstraint,

    /// <summary>RFC 6120 §4.9.3.18: a comment, processing instruction, DTD or entity reference was sent.</summary>
    RestrictedXml,

    /// <summary>RFC 6120 §4.9.3.19: the service is at another address.</summary>
    SeeOtherHost,

    /// <summary>RFC 6120 §4.9.3.20: the server is being shut down.</summary>
    SystemShutdown,

    /// <summary>RFC 6120 §4.9.3.21: a condition of the server's own, told beside this one.</summary>
    UndefinedCondition,

    /// <summary>RFC 6120 §4.9.3.22: an encoding other than UTF-8.</summary>
    UnsupportedEncoding,

    /// <summary>RFC 6120 §4.9.3.23: a mandatory stream feature that we do not know.</summary>
    UnsupportedFeature,

    /// <summary>RFC 6120 §4.9.3.24: a first-level element that is no stanza the server knows.</summary>
    UnsupportedStanzaType,

    /// <summary>RFC 6120 §4.9.3.25: a version of XMPP that the server does not speak.</summary>
    UnsupportedVersion,
}

/// <summary>What a stream error means for the next connection.</summary>
public enum StreamErrorClass
{
    /// <summary>The server or the way to it is at fault: reconnect under normal backoff.</summary>
    Transient = 0,

    /// <summary>The condition speaks of what we wrote: one stanza is at fault and bisection finds it.</summary>
    NamesAStanzaFault,

    /// <summary>
    /// A second stream of the same component: retry every second for a minute, because the
    /// stream of a dead node lingers, then back off loudly.
    /// </summary>
    Conflict,

    /// <summary>The server will refuse until an operator changes something: wait long between tries, and say so.</summary>
    Refused,
}

/// <summary>A stream error as the server sent it: it ends the stream (RFC 6120 §4.9.1.1).</summary>
/// <param name="Condition">The condition, <see cref="StreamErrorCondition.Unknown" /> for one outside RFC 6120.</param>
/// <param name="Text">The server's words; null where it sent none. Bounded by the reader.</param>
public sealed record StreamError(StreamErrorCondition Condition, string? Text)
{
    /// <summary>Namespace of the conditions, RFC 6120 §4.9.2.</summary>
    public const string Namespace = "urn:ietf:params:xml:ns:xmpp-streams";

    // One row per condition: everything that Bridge knows about it.
    private static readonly (StreamErrorCondition Condition, string Wire, StreamErrorClass Class, string Advice)[] Table =
    [
        (StreamErrorCondition.Unknown, "unknown", StreamErrorClass.Transient,
            "The server named a condition that RFC 6120 does not define. Read the server's log at this time."),
        (StreamErrorCondition.BadFormat, "bad-format", StreamErrorClass.NamesAStanzaFault,
            "The server could not process the XML of a stanza. The stanza at fault is searched for and dead-lettered."),
        (StreamErrorCondition.BadNamespacePrefix, "bad-namespace-prefix", StreamErrorClass.NamesAStanzaFault,
            "A stanza uses a namespace prefix that the server does not accept. The stanza at fault is searched for and dead-lettered."),
        (StreamErrorCondition.Conflict, "conflict", StreamErrorClass.Conflict,
            "Another connection holds this component. Stop the other one, or let the server end a dead one: on Prosody set component_conflict_resolve = \"kick_old\"."),
        (StreamErrorCondition.ConnectionTimeout, "connection-timeout", StreamErrorClass.Transient,
            "The server waited in vain for traffic. Check the network between Bridge and the server, and the server's idle timeout."),
        (StreamErrorCondition.HostGone, "host-gone", StreamErrorClass.Refused,
            "The server no longer serves the component's domain. Configure the domain there again, or change it here."),
        (StreamErrorCondition.HostUnknown, "host-unknown", StreamErrorClass.Refused,
            "The server does not know the component's domain. Configure a component of exactly this name there, or change the domain here."),
        (StreamErrorCondition.ImproperAddressing, "improper-addressing", StreamErrorClass.NamesAStanzaFault,
            "A stanza lacks an address or has a malformed one. The stanza at fault is searched for and dead-lettered."),
        (StreamErrorCondition.InternalServerError, "internal-server-error", StreamErrorClass.Transient,
            "The server failed in itself. Read the server's log at this time."),
        (StreamErrorCondition.InvalidFrom, "invalid-from", StreamErrorClass.NamesAStanzaFault,
            "A stanza's from is outside the component's domain. If the app may use other domains, let the server pass them: Prosody validate_from_addresses = false, ejabberd check_from: false."),
        (StreamErrorCondition.InvalidNamespace, "invalid-namespace", StreamErrorClass.NamesAStanzaFault,
            "The server does not accept a namespace. Check that the port is the component port, not the one for clients or servers."),
        (StreamErrorCondition.InvalidXml, "invalid-xml", StreamErrorClass.NamesAStanzaFault,
            "The server's validation refused a stanza. The stanza at fault is searched for and dead-lettered."),
        (StreamErrorCondition.NotAuthorized, "not-authorized", StreamErrorClass.Refused,
            "The server refused the handshake: the secret differs, or (ejabberd) the domain is not configured. Compare secret and domain on both sides."),
        (StreamErrorCondition.NotWellFormed, "not-well-formed", StreamErrorClass.NamesAStanzaFault,
            "A stanza is not well-formed to the server, or above its size limit (Prosody: 512 KiB). The stanza at fault is searched for and dead-lettered."),
        (StreamErrorCondition.PolicyViolation, "policy-violation", StreamErrorClass.NamesAStanzaFault,
            "A stanza breaks a rule of the server, often its size limit (ejabberd: max_stanza_size). The stanza at fault is searched for and dead-lettered."),
        (StreamErrorCondition.RemoteConnectionFailed, "remote-connection-failed", StreamErrorClass.Transient,
            "The server could not reach a service that it needs, such as its authentication backend. Check that service."),
        (StreamErrorCondition.Reset, "reset", StreamErrorClass.Transient,
            "The server asks for a new stream. Nothing needs to be done."),
        (StreamErrorCondition.ResourceConstraint, "resource-constraint", StreamErrorClass.Transient,
            "The server lacks memory, file descriptors or another resource. Check its load and limits."),
        (StreamErrorCondition.RestrictedXml, "restricted-xml", StreamErrorClass.NamesAStanzaFault,
            "A stanza holds XML that XMPP forbids (comment, processing instruction, DTD). The stanza at fault is searched for and dead-lettered."),
        (StreamErrorCondition.SeeOtherHost, "see-other-host", StreamErrorClass.Transient,
            "The server says that the service is elsewhere. Bridge does not follow; put the address that the server names into the endpoints."),
        (StreamErrorCondition.SystemShutdown, "system-shutdown", StreamErrorClass.Transient,
            "The server is being shut down. Bridge reconnects when it is back."),
        (StreamErrorCondition.UndefinedCondition, "undefined-condition", StreamErrorClass.Transient,
            "The server has a reason of its own. Read its words, and its log at this time."),
        (StreamErrorCondition.UnsupportedEncoding, "unsupported-encoding", StreamErrorClass.NamesAStanzaFault,
            "The server found bytes that are not UTF-8. The stanza at fault is searched for and dead-lettered."),
        (StreamErrorCondition.UnsupportedFeature, "unsupported-feature", StreamErrorClass.Refused,
            "The server requires a stream feature that components do not have. Check that the port is the component port."),
        (StreamErrorCondition.UnsupportedStanzaType, "unsupported-stanza-type", StreamErrorClass.NamesAStanzaFault,
            "The server does not know an element that was sent as a stanza. The stanza at fault is searched for and dead-lettered."),
        (StreamErrorCondition.UnsupportedVersion, "unsupported-version", StreamErrorClass.Refused,
            "The server does not speak this version of XMPP to components. Check that the port is the component port."),
    ];

    private static readonly FrozenDictionary<string, StreamErrorCondition> ByWireName =
        Table.Where(row => row.Condition != StreamErrorCondition.Unknown)
            .ToFrozenDictionary(row => row.Wire, row => row.Condition, StringComparer.Ordinal);

    /// <summary>What this error means for the next connection.</summary>
    public StreamErrorClass Class => ClassOf(Condition);

    /// <summary>What the operator should know or do, in one or two sentences.</summary>
    public string Advice => AdviceFor(Condition);

    /// <summary>The condition's element name; <c>unknown</c> for <see cref="StreamErrorCondition.Unknown" />, which has none.</summary>
    public static string WireName(StreamErrorCondition condition) => Row(condition).Wire;

    /// <summary>The condition of this element name, case-sensitive; Unknown for any other.</summary>
    public static StreamErrorCondition FromWireName(string wireName) =>
        ByWireName.GetValueOrDefault(wireName, StreamErrorCondition.Unknown);

    /// <summary>What the condition means for the next connection.</summary>
    public static StreamErrorClass ClassOf(StreamErrorCondition condition) => Row(condition).Class;

    /// <summary>What the operator should know or do, in one or two sentences.</summary>
    public static string AdviceFor(StreamErrorCondition condition) => Row(condition).Advice;

    private static (StreamErrorCondition Condition, string Wire, StreamErrorClass Class, string Advice) Row(StreamErrorCondition condition) =>
        (uint)condition < (uint)Table.Length
            ? Table[(int)condition] // The rows stand in the enum's order; a test holds them to it.
            : throw new ArgumentOutOfRangeException(nameof(condition), condition, "Not a stream error condition.");
}
