using System.Text;

namespace Bridge.Fuzz.Tests.Corpora;

/// <summary>What mutations cut at and insert, for each language.</summary>
internal static class Dictionaries
{
    public static readonly byte[] XmlBorders = "<>&;'\"/=!?[]: \n"u8.ToArray();

    public static readonly byte[] JsonBorders = "{}[]\",:\\ \n"u8.ToArray();

    public static readonly byte[][] Xml =
    [
        .. new[]
        {
            "<", ">", "/>", "</", "&", ";", "'", "\"", "=", "<a>", "</a>", "<a/>", "<message to='a@b'/>", "<message to='a@b'>", "</message>", "<body>", "</body>",
            "<iq to='a@b' type='get'>", "</iq>", "<presence to='a@b'/>", " to='a@b'", " from='app.example'", " from='evil.example'", " id=''", " id='1'", " type='set'",
            " xmlns='jabber:client'", " xmlns='jabber:component:accept'", " xmlns='jabber:server'", " xmlns=''", " xmlns='urn:x'", " xmlns:p='urn:p'", " xmlns:q='urn:p'",
            " xmlns:p=''", " xmlns:xml='urn:x'", " xmlns:xmlns='urn:x'", " xmlns:stream='http://etherx.jabber.org/streams'", " p:a='1'", " q:a='1'", " xml:lang='de'",
            " xml:space='x'", "p:", "q:", "xml:", "xmlns:", "stream:", "<p:x>", "</p:x>", "<stream:error/>", "<stream:stream>", "</stream:stream>", "<handshake/>",
            "<![CDATA[", "]]>", "<![CDATA[x]]>", "<![CDATA[]]]]>", "<!--", "-->", "<!-- -->", "<?", "?>", "<?xml version='1.0'?>", "<?p?>", "<!DOCTYPE a>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]>", "<!ENTITY a 'b'>", "&lt;", "&gt;", "&amp;", "&quot;", "&apos;", "&nbsp;", "&a;", "&#0;", "&#9;", "&#10;", "&#13;", "&#60;",
            "&#x3c;", "&#38;", "&#xD800;", "&#xFFFE;", "&#x10FFFF;", "&#x110000;", "&#99999999;", "&#x;", "&#;", "&#65", "<delay xmlns='urn:xmpp:delay'/>",
            "<origin-id xmlns='urn:xmpp:sid:0' id='1'/>", " ", "\n", "\r", "\r\n", "\t", "\0", "\u00A0", "\u0085", "\u2028", "\uFEFF", "é", "😀", "\uFFFD", "xml", "xmlns",
            "message", "presence", "iq", "error", "result", "get",
        }.Select(Encoding.UTF8.GetBytes),
    ];

    public static readonly byte[][] Json =
    [
        .. new[]
        {
            "{", "}", "[", "]", "\"", ",", ":", "\\", "null", "true", "false", "0", "-1", "1e999", "1E400", "0.0000001", "1000000000", "1000000001", "1e-400", "-0", "01",
            "NaN", "Infinity", "\"\"", "{}", "[]", "\"to\":\"a@b\",", ",\"to\":\"c@d\"", "\"body\":\"x\",", "\"stanza\":\"<message to='a@b'/>\",", "\"xml\":[\"<x xmlns='urn:x'/>\"],",
            "\"ttl\":1,", "\"expires\":4102444800,", "\"at\":\"2026-05-17T11:59:00Z\",", "\"meta\":{},", "\"store\":\"no-store\",", "\"lang\":\"de\",", "\"id\":\"1\",", "\"t\\u006f\":\"a@b\",",
            "\"unknown\":1,", "\"From\":\"x\",", "\\u0000", "\\u0001", "\\u003c", "\\u0026", "\\ud800", "\\udc00", "\\ud83d\\ude00", "\\ude00\\ud83d", "\\uffff", "\\uFFFE", "\\b",
            "\\f", "\\n", "\\r", "\\t", "\\/", "\\\\", "\\\"", "\\x41", "\\u12", "\\u", "//x\n", "/* x */", "#", "'", " ", "\n", "\t", "\0", "\u0001", "\u007F", "\u2028", "\uFEFF",
            "é", "😀", "<", "&", "]]>", "<body>", "</message>", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "{\"a\":{\"a\":{\"a\":{\"a\":1}}}}", "{\"to\":\"a@b\"}",
        }.Select(Encoding.UTF8.GetBytes),
    ];
}
