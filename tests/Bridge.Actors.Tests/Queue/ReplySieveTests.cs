using System.Globalization;
using System.Text;
using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

public sealed class ReplySieveTests
{
    private const int Longest = 10;

    public static TheoryData<string, string, string> Replies { get; } = new()
    {
        { "a string at the limit passes", "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n" },
        { "a longer one is emptied", "$11\r\n0123456789a\r\n", "$0\r\n\r\n" },
        { "what looks like protocol within it goes with it", "$14\r\n+OK\r\n$3\r\nabc\r\n\r\n+OK\r\n", "$0\r\n\r\n+OK\r\n" },
        { "what looks like protocol within a short one passes", "$9\r\n$11\r\n$11\r\r\n:1\r\n", "$9\r\n$11\r\n$11\r\r\n:1\r\n" },
        { "nothing passes as nothing", "$-1\r\n*-1\r\n_\r\n+OK\r\n", "$-1\r\n*-1\r\n_\r\n+OK\r\n" },
        { "an empty string passes", "$0\r\n\r\n:5\r\n", "$0\r\n\r\n:5\r\n" },
        { "only the long ones of an array are emptied", "*3\r\n$3\r\nabc\r\n$12\r\nabcdefghijkl\r\n:7\r\n", "*3\r\n$3\r\nabc\r\n$0\r\n\r\n:7\r\n" },
        { "a map and a set pass", "%1\r\n+a\r\n~1\r\n$11\r\n0123456789a\r\n", "%1\r\n+a\r\n~1\r\n$0\r\n\r\n" },
        { "an error is never emptied", "!21\r\nSYNTAX invalid syntax\r\n-ERR long enough to matter\r\n", "!21\r\nSYNTAX invalid syntax\r\n-ERR long enough to matter\r\n" },
        { "nor a verbatim string", "=15\r\ntxt:Some string\r\n", "=15\r\ntxt:Some string\r\n" },
        { "a simple string is never emptied", "+a simple string of many bytes\r\n", "+a simple string of many bytes\r\n" },
    };

    [Theory]
    [MemberData(nameof(Replies))]
    public void Only_the_contents_of_long_strings_are_taken_out_wherever_the_socket_cuts(string name, string replies, string passed)
    {
        _ = name;
        for (var piece = 1; piece <= replies.Length; piece++)
            Assert.Equal(passed, Sift(replies, _ => piece));
    }

    [Fact]
    public void Any_replies_in_any_pieces_pass_as_they_should()
    {
        var random = new Random(TestSeed.Of(4711));
        for (var round = 0; round < 20_000; round++)
        {
            var (replies, passed) = (new StringBuilder(), new StringBuilder());
            for (var i = random.Next(1, 8); i > 0; i--)
                Append(random, replies, passed);

            var longestPiece = random.Next(1, 30);
            Assert.Equal(passed.ToString(), Sift(replies.ToString(), _ => random.Next(1, longestPiece + 1)));
        }
    }

    [Fact]
    public void What_is_no_announcement_of_a_length_ends_the_connection()
    {
        var sieve = new ReplySieve(Longest);

        Assert.True(sieve.Pass("$1234567890123456789"u8, _ => true));
        Assert.False(sieve.Pass("0123456789012345678901234567890\r\n"u8, _ => true));
    }

    [Fact]
    public void A_receiver_that_wants_no_more_is_given_no_more()
    {
        var received = new List<string>();

        Assert.False(new ReplySieve(Longest).Pass("+OK\r\n$3\r\nabc\r\n"u8, bytes =>
        {
            received.Add(Encoding.ASCII.GetString(bytes));
            return false;
        }));
        Assert.Equal(["+OK\r\n"], received);
    }

    private static void Append(Random random, StringBuilder replies, StringBuilder passed)
    {
        var text = new string([.. Enumerable.Range(0, random.Next(0, 25)).Select(_ => "$:+*\r\n0ab"[random.Next(9)])]);
        var line = text.Replace("\r", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal);
        var (reply, sifted) = random.Next(4) switch
        {
            0 => ($"+{line}\r\n", null),
            1 => ($"*{line.Length}\r\n", null),
            2 => ($"!{text.Length}\r\n{text}\r\n", null),
            _ => ($"${text.Length}\r\n{text}\r\n", text.Length > Longest ? "$0\r\n\r\n" : null),
        };
        replies.Append(CultureInfo.InvariantCulture, $"{reply}");
        passed.Append(CultureInfo.InvariantCulture, $"{sifted ?? reply}");
    }

    private static string Sift(string replies, Func<int, int> pieceAt)
    {
        var sieve = new ReplySieve(Longest);
        var passed = new StringBuilder();
        var bytes = Encoding.ASCII.GetBytes(replies);
        for (var at = 0; at < bytes.Length;)
        {
            var piece = bytes.AsSpan(at, Math.Min(pieceAt(at), bytes.Length - at));
            Assert.True(sieve.Pass(piece, some =>
            {
                passed.Append(Encoding.ASCII.GetString(some));
                return true;
            }));
            at += piece.Length;
        }

        return passed.ToString();
    }
}
