using System.Collections.Immutable;
using Bridge.Queue;

namespace Bridge.Settings;

/// <summary>
/// Everything one bridge needs to know: one queue, one component domain, one XMPP connection.
/// Values are already validated; <c>hocon/reference.conf</c> owns the defaults and the reasons.
/// </summary>
public sealed record BridgeSettings
{
    /// <summary>Name in logs, metrics and actor paths: letters, digits, <c>-</c> and <c>_</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Differs where anything in the settings does, secrets included, of which it tells nothing.</summary>
    public string Fingerprint { get; init; } = "";

    /// <summary>The Redis side.</summary>
    public required QueueSettings Queue { get; init; }

    /// <summary>The XMPP side.</summary>
    public required XmppSettings Xmpp { get; init; }

    /// <summary>When an entry counts as delivered.</summary>
    public required ConfirmSettings Confirm { get; init; }

    /// <summary>How much may be under way.</summary>
    public required WindowSettings Window { get; init; }

    /// <summary>What may pass the stanza firewall.</summary>
    public required StanzaSettings Stanza { get; init; }

    /// <summary>The dead-letter stream's bounds.</summary>
    public required DeadLetterSettings Dead { get; init; }

    /// <summary>The outcome stream's bounds.</summary>
    public required OutcomeSettings Outcomes { get; init; }

    /// <summary>How long answers are waited for, and by how many messages.</summary>
    public AnswerSettings Answers { get; init; } = new();

    /// <summary>Whether what a server could not deliver for now is tried again.</summary>
    public RetrySettings Retry { get; init; } = new();

    /// <summary>What becomes of stanzas to the component's addresses.</summary>
    public InboundSettings Inbound { get; init; } = new();

    /// <summary>Ownership of queue and domain.</summary>
    public required LeaseSettings Lease { get; init; }

    /// <summary>Writers that encode in parallel, 1 to 64.</summary>
    public required int Writers { get; init; }

    /// <summary>How long a shutdown waits for what is in flight.</summary>
    public required TimeSpan DrainTimeout { get; init; }

    /// <summary>Messages that are remembered when they were confirmed, for <c>bridge trace</c>.</summary>
    public int TraceEntries { get; init; } = 100_000;
}

/// <summary>Which kind of Redis value the queue is.</summary>
public enum QueueKind
{
    /// <summary>A list that the app RPUSHes to.</summary>
    List,

    /// <summary>A stream that the app XADDs to.</summary>
    Stream,
}

/// <summary>What happens to a stream entry once it is acknowledged.</summary>
public enum StreamDeletion
{
    /// <summary>XDEL after XACK, while Bridge's is the only group of the stream.</summary>
    Own,

    /// <summary>Left in the stream; whoever fills it trims it.</summary>
    Never,
}

/// <summary>The Redis side of a bridge.</summary>
public sealed record QueueSettings
{
    /// <summary>A StackExchange.Redis connection string. May hold a password: never logged.</summary>
    public required string Redis { get; init; }

    /// <summary>PEM file with the authorities to trust when the connection string asks for TLS; null: those of the system.</summary>
    public string? RedisCaFile { get; init; }

    /// <summary>The key the app pushes to, and the names derived from it.</summary>
    public required QueueKeys Keys { get; init; }

    /// <summary>List or stream.</summary>
    public required QueueKind Kind { get; init; }

    /// <summary>Consumer group of a stream queue.</summary>
    public required string Group { get; init; }

    /// <summary>What happens to acknowledged stream entries.</summary>
    public required StreamDeletion Deletion { get; init; }

    /// <summary>Entries per take, 1 to 5,000.</summary>
    public required int BatchEntries { get; init; }

    /// <summary>Bytes per take after which the script stops adding entries.</summary>
    public required int BatchBytes { get; init; }

    /// <summary>Takes under way at once while the queue is busy, 1 to 16.</summary>
    public required int TakesInFlight { get; init; }

    /// <summary>Bytes of one entry above which the script dead-letters it without handing it over.</summary>
    public required int MaxEntryBytes { get; init; }

    /// <summary>Whether an id that is pushed twice is sent once; null: it is sent as often.</summary>
    public RepeatSettings? Repeats { get; init; }

    /// <summary>Messages that may wait for their time at once; one more is dead-lettered.</summary>
    public int MaxScheduled { get; init; } = 100_000;

    /// <summary>Bridge's own deadline on every Redis call that does not block.</summary>
    public required TimeSpan CallTimeout { get; init; }

    /// <summary>How long one blocking wait for work lasts.</summary>
    public required TimeSpan WaitTime { get; init; }

    /// <summary>What fills the list besides its producers, best effort; null: nothing. The queue is then a list.</summary>
    public PubSubSettings? PubSub { get; init; }

    /// <summary>The kind in words, for people.</summary>
    public string KindText => PubSub is null ? Kind.ToString() : "Pub/Sub (best effort) by way of list";

    /// <summary>Kind and key, without the connection string and the password that may be in it.</summary>
    public override string ToString() => $"{KindText} {Keys.Queue}";
}

/// <summary>
/// What is published to channels of these patterns goes to the end of the list. Best effort: what is published while nobody
/// listens is lost, and the windows in which nobody does are counted. From the list on everything is as promised.
/// </summary>
public sealed record PubSubSettings
{
    /// <summary>Glob patterns of PSUBSCRIBE, 1 to 64 and each once.</summary>
    public required ImmutableArray<string> Patterns { get; init; }

    /// <summary>Entries in the list above which nothing is added: it is dropped and counted.</summary>
    public required long MaxQueued { get; init; }

    /// <summary>Messages heard and not yet in the list that are kept in memory; more are dropped and counted.</summary>
    public required int Buffer { get; init; }
}

/// <summary>Within what bounds an id of the app's own that is pushed again is known.</summary>
public sealed record RepeatSettings
{
    /// <summary>For how long, from when it was first taken.</summary>
    public required TimeSpan Window { get; init; }

    /// <summary>How many; beyond that the oldest are forgotten.</summary>
    public required int MaxEntries { get; init; }
}

/// <summary>One address of the XMPP server's component port.</summary>
/// <param name="Host">Name or address.</param>
/// <param name="Port">1 to 65535.</param>
public sealed record XmppEndpoint(string Host, int Port)
{
    /// <inheritdoc />
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}

/// <summary>The XMPP side of a bridge.</summary>
public sealed record XmppSettings
{
    /// <summary>Component ports, tried in turn; at least one.</summary>
    public required ImmutableArray<XmppEndpoint> Endpoints { get; init; }

    /// <summary>The component's domain, canonical lower case.</summary>
    public required string Domain { get; init; }

    /// <summary>The shared secret of the component (XEP-0114). Never logged.</summary>
    public required ComponentSecret Secret { get; init; }

    /// <summary>
    /// The server's own domain, asked for its uptime (XEP-0012) when a hold must be continued;
    /// null where it is not to be asked.
    /// </summary>
    public required string? ServerDomain { get; init; }

    /// <summary>Direct TLS to the component port; null for a plain connection.</summary>
    public required TlsSettings? Tls { get; init; }

    /// <summary>Deadline of the TCP connect (and the TLS handshake).</summary>
    public required TimeSpan ConnectTimeout { get; init; }

    /// <summary>Deadline from the connect to the server's stream header.</summary>
    public required TimeSpan HeaderTimeout { get; init; }

    /// <summary>Deadline from our handshake to the server's answer.</summary>
    public required TimeSpan HandshakeTimeout { get; init; }

    /// <summary>A barrier is written when the stream was idle for so long.</summary>
    public required TimeSpan IdleBarrier { get; init; }

    /// <summary>No progress for so long: the link is half-open or the server frozen.</summary>
    public required TimeSpan ProgressTimeout { get; init; }

    /// <summary>The longest time without a returned barrier, even while the send queue shrinks.</summary>
    public required TimeSpan BarrierTimeout { get; init; }

    /// <summary>How long a proper close waits for the server's end of the stream.</summary>
    public required TimeSpan CloseTimeout { get; init; }

    /// <summary>First reconnect delay.</summary>
    public required TimeSpan BackoffMin { get; init; }

    /// <summary>Longest reconnect delay.</summary>
    public required TimeSpan BackoffMax { get; init; }

    /// <summary>Wait after a server restart before anything is sent, so that its users come back first.</summary>
    public required TimeSpan ResumeDelay { get; init; }

    /// <summary>Bytes of one inbound stanza above which it is skipped and counted.</summary>
    public required int MaxInboundStanzaBytes { get; init; }
}

/// <summary>A secret that prints as three stars.</summary>
/// <param name="value">The secret itself.</param>
public sealed class ComponentSecret(string value)
{
    /// <summary>The secret itself; for the handshake only.</summary>
    public string Reveal() => value;

    /// <summary>Three stars, so that no log line or exception text can hold the secret.</summary>
    public override string ToString() => "***";
}

/// <summary>Direct TLS to the component port.</summary>
public sealed record TlsSettings
{
    /// <summary>Name that the server's certificate must carry; null: the endpoint's host.</summary>
    public required string? ServerName { get; init; }

    /// <summary>PEM file with the certificate authorities to trust; null: the system's.</summary>
    public required string? CaFile { get; init; }
}

/// <summary>When an entry is settled.</summary>
public enum ConfirmGrade
{
    /// <summary>Its barrier returned.</summary>
    Accepted,

    /// <summary>Its barrier returned and the stream then lived on for the hold.</summary>
    Held,

    /// <summary>As <see cref="Held" />; and a receipt is asked for (XEP-0184), which the message waits for outside the journal.</summary>
    Received,
}

/// <summary>Whether held entries are re-sent when the server is known to have lived on.</summary>
public enum UptimeTrust
{
    /// <summary>Trust the server's XEP-0012 answers where one address and one IP are configured.</summary>
    Auto,

    /// <summary>Always send held entries again (clusters, balancers).</summary>
    Never,
}

/// <summary>When an entry counts as delivered.</summary>
public sealed record ConfirmSettings
{
    /// <summary>The grade.</summary>
    public required ConfirmGrade Grade { get; init; }

    /// <summary>How long the stream must live on after the barrier, for <see cref="ConfirmGrade.Held" />.</summary>
    public required TimeSpan Hold { get; init; }

    /// <summary>Whether the server's uptime is trusted after a break.</summary>
    public required UptimeTrust TrustUptime { get; init; }
}

/// <summary>How much may be under way.</summary>
public sealed record WindowSettings
{
    /// <summary>Entries taken and not confirmed.</summary>
    public required int UnconfirmedEntries { get; init; }

    /// <summary>Bytes taken and not confirmed.</summary>
    public required long UnconfirmedBytes { get; init; }

    /// <summary>Entries confirmed and held.</summary>
    public required long HeldEntries { get; init; }

    /// <summary>Bytes, in Redis, confirmed and held.</summary>
    public required long HeldBytes { get; init; }

    /// <summary>Entries between two barriers, at most.</summary>
    public required int BarrierEntries { get; init; }

    /// <summary>Bytes between two barriers, at most.</summary>
    public required int BarrierBytes { get; init; }

    /// <summary>The barrier round trip that the window is adapted to.</summary>
    public required TimeSpan TargetRoundTrip { get; init; }
}

/// <summary>What may pass the stanza firewall.</summary>
public sealed record StanzaSettings
{
    /// <summary>Bytes of one encoded stanza.</summary>
    public required int MaxBytes { get; init; }

    /// <summary>Element levels, the stanza itself being level 1.</summary>
    public required int MaxDepth { get; init; }

    /// <summary>Attributes of one element.</summary>
    public required int MaxAttributes { get; init; }

    /// <summary>Domains that <c>from</c> may name besides the component's own, canonical lower case.</summary>
    public required ImmutableArray<string> FromDomains { get; init; }

    /// <summary>The <c>from</c> that a stanza without one gets: a JID of the component's domain or of an allowed one.</summary>
    public required string DefaultFrom { get; init; }

    /// <summary>A message that waited longer carries a delay stamp (XEP-0203), where the time of the push is known.</summary>
    public required TimeSpan DelayStampAfter { get; init; }
}

/// <summary>The dead-letter stream's bounds.</summary>
public sealed record DeadLetterSettings
{
    /// <summary>Entries kept.</summary>
    public required long MaxEntries { get; init; }

    /// <summary>Age up to which they are kept.</summary>
    public required TimeSpan MaxAge { get; init; }
}

/// <summary>Which endings a bridge tells in <c>{q}:outcomes</c>. A message that names a list for its reply gets that in every mode.</summary>
public enum OutcomeMode
{
    /// <summary>None.</summary>
    None,

    /// <summary>Unconfirmed, bounced, expired and dead.</summary>
    Failures,

    /// <summary>Every one.</summary>
    All,
}

/// <summary>What is told of how messages ended, and its bounds.</summary>
public sealed record OutcomeSettings
{
    /// <summary>What goes into the outcome stream.</summary>
    public OutcomeMode Mode { get; init; } = OutcomeMode.Failures;

    /// <summary>Messages of which an ending is owed, at once; when there are so many, nothing is taken.</summary>
    public int MaxPending { get; init; } = 100_000;

    /// <summary>
    /// Ids of the app's own by which a bounce is recognised though nobody asked for its ending; 8 bytes each, in some 2.6 times the room.
    /// </summary>
    public int OwnIdsRemembered { get; init; } = 200_000;

    /// <summary>How long a reply waits in its list for somebody to take it.</summary>
    public TimeSpan ReplyTimeToLive { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Entries kept in <c>{q}:outcomes</c>.</summary>
    public required long MaxEntries { get; init; }

    /// <summary>Outcomes kept in memory while Redis is away; more are dropped and counted.</summary>
    public required int Buffer { get; init; }
}

/// <summary>What messages that wait for an answer are given.</summary>
public sealed record AnswerSettings
{
    /// <summary>How long a receipt is waited for, where the message does not say.</summary>
    public TimeSpan ReceiptTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long the result of a request is waited for, where the message does not say.</summary>
    public TimeSpan ResultTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Messages that may wait outside the journal; one more ends at once, as unconfirmed.</summary>
    public int MaxAwaiting { get; init; } = 100_000;
}

/// <summary>What follows a bounce of type <c>wait</c> (RFC 6120 §8.3.2).</summary>
public sealed record RetrySettings
{
    /// <summary>How often a message is tried again; 0: never.</summary>
    public int Limit { get; init; }

    /// <summary>How long after the first bounce; it doubles with each.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The longest that it becomes.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long after its confirmation a message is kept for a bounce that comes late.</summary>
    public TimeSpan Keep { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>Ownership of queue and domain.</summary>
public sealed record LeaseSettings
{
    /// <summary>Time to live of the lease in Redis.</summary>
    public required TimeSpan TimeToLive { get; init; }

    /// <summary>How often the owner renews.</summary>
    public required TimeSpan RenewEvery { get; init; }

    /// <summary>How often a standby looks.</summary>
    public required TimeSpan PollEvery { get; init; }

    /// <summary>How long before the end of the lease its holder stops writing.</summary>
    public required TimeSpan SafetyMargin { get; init; }
}
