using System.Xml;
using BenchmarkDotNet.Attributes;
using Bridge.Stanzas;

namespace Bridge.Benchmarks;

/// <summary>The check of a raw stanza, and for comparison what .NET's own parser takes to read the same bytes.</summary>
public class FirewallBenchmarks
{
    private const int Stanzas = 64;

    private static readonly XmlReaderSettings ParserSettings = new()
    {
        DtdProcessing = DtdProcessing.Prohibit,
        ConformanceLevel = ConformanceLevel.Fragment,
        XmlResolver = null,
    };

    private readonly StanzaFirewall _firewall = new(SamplePayloads.Rules, SamplePayloads.Domain);
    private byte[][] _stanzas = [];

    [Params(SampleKind.RawShort, SampleKind.Raw300, SampleKind.RawExtensions, SampleKind.RawNonAscii, SampleKind.Raw64K)]
    public SampleKind Kind { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _stanzas = SamplePayloads.Of(Kind, Stanzas);
        foreach (var stanza in _stanzas)
        {
            if (!_firewall.TryInspect(stanza, out _, out var rejection))
                throw new InvalidOperationException($"{Kind}: {rejection}");
        }
    }

    [Benchmark(OperationsPerInvoke = Stanzas, Baseline = true)]
    public int Firewall()
    {
        var ends = 0;
        foreach (var stanza in _stanzas)
        {
            if (_firewall.TryInspect(stanza, out var shape, out _))
                ends += shape.EndTagStart;
        }

        return ends;
    }

    [Benchmark(OperationsPerInvoke = Stanzas)]
    public int Parser()
    {
        var nodes = 0;
        foreach (var stanza in _stanzas)
        {
            using var bytes = new MemoryStream(stanza, writable: false);
            using var reader = XmlReader.Create(bytes, ParserSettings);
            while (reader.Read())
                nodes += 1 + reader.AttributeCount;
        }

        return nodes;
    }
}
