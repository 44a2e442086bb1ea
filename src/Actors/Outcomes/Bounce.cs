using Bridge.Stanzas;

namespace Bridge.Outcomes;

/// <summary>A stanza error that came back for a stanza with an id (RFC 6120 §8.3).</summary>
/// <param name="Kind">What kind of stanza bounced: the error carries the kind of what it answers.</param>
/// <param name="Id">Its id.</param>
/// <param name="From">Who sent the error: the address that the stanza went to, or one on its way.</param>
/// <param name="Error">Type, condition and text.</param>
public sealed record Bounce(StanzaKind Kind, string Id, string From, StanzaError Error);
