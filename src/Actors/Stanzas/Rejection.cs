namespace Bridge.Stanzas;

/// <summary>
/// Why an entry was not sent and went to the dead-letter stream: a closed set. The wire names
/// stand in <see cref="RejectionReasonNames" /> and never change.
/// </summary>
public enum RejectionReason
{
    /// <summary>Not rejected.</summary>
    None = 0,

    /// <summary>The entry holds nothing, or white space only. Push a payload.</summary>
    EmptyPayload,

    /// <summary>The first byte is neither <c>&lt;</c> nor <c>{</c>. Push raw XML or a JSON envelope.</summary>
    UnknownPayloadKind,

    /// <summary>The payload begins with a byte order mark, which no stanza and no JSON text may carry (RFC 8259 §8.1). Write UTF-8 without one.</summary>
    ByteOrderMark,

    /// <summary>Some bytes are not UTF-8 (RFC 3629): a cut sequence, an overlong one, a surrogate, or another encoding. Encode as UTF-8.</summary>
    NotUtf8,

    /// <summary>The entry, or the stanza made of it, is larger than the limit. Send less, or a link to it.</summary>
    Oversize,

    /// <summary>The XML does not obey the grammar of XML 1.0. Build it with an XML library instead of pasting strings.</summary>
    NotWellFormed,

    /// <summary>The element is not a message, presence or iq. Push only these three (RFC 6120 §8).</summary>
    NotAStanza,

    /// <summary>Something stands behind the stanza. Push one stanza per entry.</summary>
    TrailingContent,

    /// <summary>Something stands before the stanza. Push one stanza per entry.</summary>
    LeadingContent,

    /// <summary>A document type declaration, which XMPP prohibits (RFC 6120 §11.1). Leave it out.</summary>
    Doctype,

    /// <summary>A processing instruction or XML declaration, which XMPP prohibits (RFC 6120 §11.1). Leave it out.</summary>
    ProcessingInstruction,

    /// <summary>A comment, which XMPP prohibits (RFC 6120 §11.1). Leave it out.</summary>
    Comment,

    /// <summary>A character that XML 1.0 §2.2 excludes, itself or as a reference: most controls, U+FFFE, U+FFFF. Remove it from the text.</summary>
    ForbiddenCharacter,

    /// <summary>An entity other than the five predefined ones (RFC 6120 §11.1). Write the character itself.</summary>
    UndeclaredEntity,

    /// <summary>A namespace prefix that nothing inside the payload declares. Declare it where it is used.</summary>
    UndeclaredPrefix,

    /// <summary>A prefix that Namespaces in XML 1.0 §3 reserves or forbids to bind so (<c>xml…</c>, <c>xmlns</c>, an empty name). Choose another.</summary>
    MisusedPrefix,

    /// <summary>More prefixes are in scope at once than the scanner follows (64). Declare fewer.</summary>
    TooManyPrefixes,

    /// <summary>A namespace name that no stanza may carry: with white space or references in it, longer than 1,023 bytes, that of streams, or one that Namespaces in XML reserves. Write the plain name of the extension.</summary>
    InvalidNamespace,

    /// <summary>An element has two attributes of one name, also through two prefixes of one namespace. Keep one.</summary>
    DuplicateAttribute,

    /// <summary>The elements are nested deeper than the limit. Flatten the payload.</summary>
    TooDeep,

    /// <summary>An element has more attributes than the limit. Use child elements.</summary>
    TooManyAttributes,

    /// <summary>The stanza's own name has a prefix, which servers do not agree on. Write <c>&lt;message …&gt;</c> without one.</summary>
    PrefixedStanza,

    /// <summary>A name with a character outside ASCII: no XMPP extension has one, and parsers disagree about them. Use an ASCII name.</summary>
    NameNotAscii,

    /// <summary>The stanza is in a namespace other than <c>jabber:client</c> or <c>jabber:component:accept</c>. Leave its <c>xmlns</c> out.</summary>
    ForeignNamespace,

    /// <summary>A payload element has no namespace of its own (RFC 6120 §8.4). Give it an <c>xmlns</c>.</summary>
    MissingNamespace,

    /// <summary>The stanza has no <c>to</c>, without which servers end a component's stream. Address it.</summary>
    MissingTo,

    /// <summary>The <c>to</c> is not a JID (RFC 7622). Correct the address.</summary>
    InvalidTo,

    /// <summary>The <c>from</c> is not a JID (RFC 7622). Correct it or leave it out.</summary>
    InvalidFrom,

    /// <summary>The <c>from</c> names a domain that Bridge may not speak for. Leave it out, write the domain in lower case, or have the operator allow the domain.</summary>
    ForeignFrom,

    /// <summary>The <c>type</c> of an iq is missing or none of get, set, result, error (RFC 6120 §8.2.3). Correct it.</summary>
    InvalidIqType,

    /// <summary>An iq of type get or set has no child element or several (RFC 6120 §8.2.3). Give it exactly one.</summary>
    InvalidIqPayload,

    /// <summary>The stanza's id is longer than 1,023 bytes. Use a shorter one.</summary>
    InvalidId,

    /// <summary>The envelope is not one JSON object (RFC 8259), or nested deeper than 64 levels. Build it with a JSON library.</summary>
    JsonMalformed,

    /// <summary>The envelope has a field that Bridge does not know; the detail names it. Correct its spelling or move it into <c>meta</c>.</summary>
    JsonUnknownField,

    /// <summary>A field holds another JSON type than it should; the detail names it. See the table of fields.</summary>
    JsonWrongType,

    /// <summary>The envelope has no <c>to</c> and no <c>stanza</c>. Address it.</summary>
    JsonMissingTo,

    /// <summary>Two fields exclude each other; the detail names them. Keep one.</summary>
    JsonConflictingFields,

    /// <summary>A field stands twice in the envelope; the detail names it. Keep one.</summary>
    JsonDuplicateField,

    /// <summary>A field's value is outside of what is allowed; the detail names the field and the rule. See the table of fields.</summary>
    JsonInvalidValue,

    /// <summary>The envelope's <c>stanza</c> does not pass; the detail begins with the reason inside. Correct that.</summary>
    JsonStanzaInvalid,

    /// <summary>An element of the envelope's <c>xml</c> does not pass; the detail begins with the reason inside. Correct that.</summary>
    JsonXmlInvalid,

    /// <summary>The entry's time to live ended before it could be sent. Allow more time, or look why the queue is behind.</summary>
    Expired,

    /// <summary>Bridge itself failed on this entry, repeatedly. Please report it with the payload.</summary>
    WriterFailed,

    /// <summary>The server ended the stream each time this entry was sent; the detail holds its words. Compare the payload with the server's limits.</summary>
    Convicted,

    /// <summary>The stream was trimmed while the entry was pending: its body is gone. Trim by what is acknowledged.</summary>
    Trimmed,

    /// <summary>A message with this <c>id</c> to this recipient came within <c>queue.dedup.window</c>, and is sent. Nothing, or give another id.</summary>
    Duplicate,
}

/// <summary>The wire names of <see cref="RejectionReason" />, as dead letters, logs and metrics carry them.</summary>
public static class RejectionReasonNames
{
    // Written out, not derived from the members: renaming a member must not change what is stored.
    private static readonly string[] Names = BuildNames();

    /// <summary>The reason's wire name, in kebab-case; it never changes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is no member of the enum.</exception>
    public static string WireName(this RejectionReason reason) =>
        (uint)reason < (uint)Names.Length && Names[(int)reason] is { } name
            ? name
            : throw new ArgumentOutOfRangeException(nameof(reason), reason, "not a rejection reason");

    private static string[] BuildNames()
    {
        (RejectionReason Reason, string Name)[] table =
        [
            (RejectionReason.None, "none"),
            (RejectionReason.EmptyPayload, "empty-payload"),
            (RejectionReason.UnknownPayloadKind, "unknown-payload-kind"),
            (RejectionReason.ByteOrderMark, "byte-order-mark"),
            (RejectionReason.NotUtf8, "not-utf8"),
            (RejectionReason.Oversize, "oversize"),
            (RejectionReason.NotWellFormed, "not-well-formed"),
            (RejectionReason.NotAStanza, "not-a-stanza"),
            (RejectionReason.TrailingContent, "trailing-content"),
            (RejectionReason.LeadingContent, "leading-content"),
            (RejectionReason.Doctype, "doctype"),
            (RejectionReason.ProcessingInstruction, "processing-instruction"),
            (RejectionReason.Comment, "comment"),
            (RejectionReason.ForbiddenCharacter, "forbidden-character"),
            (RejectionReason.UndeclaredEntity, "undeclared-entity"),
            (RejectionReason.UndeclaredPrefix, "undeclared-prefix"),
            (RejectionReason.MisusedPrefix, "misused-prefix"),
            (RejectionReason.TooManyPrefixes, "too-many-prefixes"),
            (RejectionReason.InvalidNamespace, "invalid-namespace"),
            (RejectionReason.DuplicateAttribute, "duplicate-attribute"),
            (RejectionReason.TooDeep, "too-deep"),
            (RejectionReason.TooManyAttributes, "too-many-attributes"),
            (RejectionReason.PrefixedStanza, "prefixed-stanza"),
            (RejectionReason.NameNotAscii, "name-not-ascii"),
            (RejectionReason.ForeignNamespace, "foreign-namespace"),
            (RejectionReason.MissingNamespace, "missing-namespace"),
            (RejectionReason.MissingTo, "missing-to"),
            (RejectionReason.InvalidTo, "invalid-to"),
            (RejectionReason.InvalidFrom, "invalid-from"),
            (RejectionReason.ForeignFrom, "foreign-from"),
            (RejectionReason.InvalidIqType, "invalid-iq-type"),
            (RejectionReason.InvalidIqPayload, "invalid-iq-payload"),
            (RejectionReason.InvalidId, "invalid-id"),
            (RejectionReason.JsonMalformed, "json-malformed"),
            (RejectionReason.JsonUnknownField, "json-unknown-field"),
            (RejectionReason.JsonWrongType, "json-wrong-type"),
            (RejectionReason.JsonMissingTo, "json-missing-to"),
            (RejectionReason.JsonConflictingFields, "json-conflicting-fields"),
            (RejectionReason.JsonDuplicateField, "json-duplicate-field"),
            (RejectionReason.JsonInvalidValue, "json-invalid-value"),
            (RejectionReason.JsonStanzaInvalid, "json-stanza-invalid"),
            (RejectionReason.JsonXmlInvalid, "json-xml-invalid"),
            (RejectionReason.Expired, "expired"),
            (RejectionReason.WriterFailed, "writer-failed"),
            (RejectionReason.Convicted, "convicted"),
            (RejectionReason.Trimmed, "trimmed"),
            (RejectionReason.Duplicate, "duplicate"),
        ];
        var names = new string[table.Length];
        foreach (var (reason, name) in table)
            names[(int)reason] = name;
        return names;
    }
}
