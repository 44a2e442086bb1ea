using System.Text;
using Bridge.Stanzas;
using XmlConvert = System.Xml.XmlConvert;

namespace Bridge.Actors.Tests.Stanzas;

public sealed class XmlTextTests
{
    [Fact]
    public void Every_code_point_is_permitted_exactly_when_XML_permits_it()
    {
        for (var code = 0; code <= 0x10FFFF; code++)
            Assert.True(IsXmlCharacter(code) == XmlText.IsPermitted(code), $"U+{code:X4}");
    }

    [Fact]
    public void Every_code_point_passes_as_a_reference_exactly_when_XML_permits_it()
    {
        for (var code = 0; code <= 0x110000; code += code < 0x11000 ? 1 : 61)
        {
            foreach (var reference in new[] { $"&#{code};", $"&#x{code:x};", $"&#x{code:X8};" })
            {
                var bytes = Encoding.ASCII.GetBytes(reference);

                var read = XmlText.TryReadReference(bytes, out var character, out var length);

                Assert.True(read == IsXmlCharacter(code), reference);
                if (read)
                    Assert.Equal((code, bytes.Length), (character, length));
            }
        }
    }

    [Fact]
    public void Every_code_point_passes_in_UTF8_exactly_when_XML_permits_it()
    {
        var bytes = new byte[8];
        for (var code = 0; code <= 0x10FFFF; code++)
        {
            if (!Rune.IsValid(code))
                continue;
            bytes[0] = (byte)'a';
            var length = 1 + new Rune(code).EncodeToUtf8(bytes.AsSpan(1));
            bytes[length] = (byte)'b';

            var bad = XmlText.IndexOfForbidden(bytes.AsSpan(0, length + 1));

            Assert.True((IsXmlCharacter(code) ? -1 : 1) == bad, $"U+{code:X4}: {bad}");
        }
    }

    [Fact]
    public void Every_run_of_two_bytes_is_UTF8_exactly_when_the_strict_decoder_agrees()
    {
        var strict = new UTF8Encoding(false, throwOnInvalidBytes: true);
        var bytes = new byte[] { (byte)'a', 0, 0, (byte)'b' };
        for (var pair = 0; pair <= 0xFFFF; pair++)
        {
            (bytes[1], bytes[2]) = ((byte)(pair >> 8), (byte)pair);
            var valid = true;
            try
            {
                _ = strict.GetCharCount(bytes);
            }
            catch (DecoderFallbackException)
            {
                valid = false;
            }

            var reason = XmlText.FindForbidden(bytes, out var offset);

            Assert.Equal((pair, valid ? RejectionReason.None : RejectionReason.NotUtf8), (pair, reason));
            Assert.InRange(offset, valid ? -1 : 1, valid ? -1 : 2);
        }
    }

    [Theory]
    [InlineData("plain", "plain", "plain")]
    [InlineData("<a b='c' d=\"e\">&</a>", "&lt;a b='c' d=\"e\"&gt;&amp;&lt;/a&gt;", "&lt;a b=&apos;c&apos; d=&quot;e&quot;&gt;&amp;&lt;/a&gt;")]
    [InlineData("\t\r\n", "\t&#13;\n", "&#9;&#13;&#10;")]
    [InlineData("", "", "")]
    public void Text_is_escaped_for_its_place(string text, string content, string attribute)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        var buffer = new byte[200];

        Assert.Equal(content, Encoding.UTF8.GetString(buffer, 0, XmlText.EscapeText(utf8, buffer)));
        Assert.Equal(content.Length, XmlText.EscapedTextLength(utf8));
        Assert.Equal(attribute, Encoding.UTF8.GetString(buffer, 0, XmlText.EscapeAttribute(utf8, buffer)));
        Assert.Equal(attribute.Length, XmlText.EscapedAttributeLength(utf8));
    }

    private static bool IsXmlCharacter(int code) => code switch
    {
        > 0x10FFFF => false,
        > 0xFFFF => true,
        _ => XmlConvert.IsXmlChar((char)code),
    };
}
