using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Bridge.Fuzz.Tests.Judging;

/// <summary>What the judge compares a case with; the letters are those of the script.</summary>
public enum Question : byte
{
    /// <summary>Only the stanza is judged.</summary>
    Stanza = (byte)'o',

    /// <summary>Besides, it must say what the raw payload says.</summary>
    SameAsRaw = (byte)'r',

    /// <summary>Besides, it must say what the JSON payload asks for.</summary>
    SameAsEnvelope = (byte)'e',

    /// <summary>The payload was refused for its grammar, so expat must refuse it too.</summary>
    RefusedByGrammar = (byte)'n',
}

/// <summary>A payload and what the encoder made of it.</summary>
/// <param name="Question">What to look at.</param>
/// <param name="Late">Whether the entry is old enough for a delay stamp.</param>
/// <param name="Payload">What was pushed.</param>
/// <param name="Output">The stanza; empty when refused.</param>
public readonly record struct JudgedCase(Question Question, bool Late, byte[] Payload, byte[] Output);

/// <summary>
/// A Python process that reads stanzas with expat, the parser of Prosody and ejabberd: each in a
/// stream of its own, and all of them in one long stream. Not thread-safe.
/// </summary>
public sealed class ExpatJudge : IDisposable
{
    private readonly Process _python;
    private readonly BufferedStream _input;

    public ExpatJudge()
    {
        var script = Path.Combine(AppContext.BaseDirectory, "Judging", "expat_judge.py");
        _python = Process.Start(new ProcessStartInfo("python3", ["-I", script])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        }) ?? throw new InvalidOperationException("python3 did not start");
        _input = new BufferedStream(_python.StandardInput.BaseStream, 1 << 16);
    }

    /// <summary>Judges a batch.</summary>
    /// <returns>Each case at fault with the words of the judge.</returns>
    public IReadOnlyList<(int Index, string Fault)> Ask(IReadOnlyList<JudgedCase> cases)
    {
        Write(cases.Count);
        foreach (var (question, late, payload, output) in cases)
        {
            _input.WriteByte((byte)question);
            _input.WriteByte(late ? (byte)'1' : (byte)'0');
            Write(payload);
            Write(output);
        }

        _input.Flush();
        var answers = _python.StandardOutput.BaseStream;
        Span<byte> length = stackalloc byte[4];
        answers.ReadExactly(length);
        var text = new byte[BinaryPrimitives.ReadInt32BigEndian(length)];
        answers.ReadExactly(text);
        return [.. Encoding.UTF8.GetString(text).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(ParseLine)];
    }

    /// <summary>Closes the long stream, in which every stanza so far must have been read.</summary>
    /// <returns>What was wrong with it, if anything.</returns>
    public string? EndLongStream() => Ask([]) is [var (_, fault), ..] ? fault : null;

    public void Dispose()
    {
        if (!_python.HasExited)
            _python.Kill();
        _python.Dispose();
    }

    private static (int Index, string Fault) ParseLine(string line)
    {
        var space = line.IndexOf(' ', StringComparison.Ordinal);
        return (int.Parse(line.AsSpan(0, space), CultureInfo.InvariantCulture), line[(space + 1)..]);
    }

    private void Write(int number)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        _input.Write(bytes);
    }

    private void Write(byte[] bytes)
    {
        Write(bytes.Length);
        _input.Write(bytes);
    }
}
