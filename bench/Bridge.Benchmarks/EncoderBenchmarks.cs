using BenchmarkDotNet.Attributes;
using Bridge.Queue;
using Bridge.Stanzas;

namespace Bridge.Benchmarks;

/// <summary>An entry's way to the bytes of a stanza, as the writers go it: per stanza.</summary>
public class EncoderBenchmarks
{
    private const int Entries = 64;

    // A take ends at so many bytes, so no batch is larger.
    private const int BatchBytes = 1024 * 1024;

    private readonly StanzaEncoder _encoder = new(SamplePayloads.Rules, SamplePayloads.Domain);
    private readonly PooledBufferWriter _output = new(2 * BatchBytes);
    private QueueEntry[] _entries = [];

    [Params(
        SampleKind.RawShort, SampleKind.Raw300, SampleKind.RawExtensions, SampleKind.RawNonAscii, SampleKind.Raw64K, SampleKind.RawRejected,
        SampleKind.JsonShort, SampleKind.Json300, SampleKind.JsonEscapes, SampleKind.Json64K)]
    public SampleKind Kind { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _entries = SamplePayloads.Entries(Kind, Entries);
        foreach (ref readonly var entry in _entries.AsSpan())
        {
            var result = _encoder.Encode(entry, _output, SamplePayloads.Now);
            if (result.Accepted == (Kind == SampleKind.RawRejected))
                throw new InvalidOperationException($"{Kind}: {result.Rejection}");
            _output.Truncate(0);
        }
    }

    [Benchmark(OperationsPerInvoke = Entries)]
    public ulong Encode()
    {
        var results = 0UL;
        foreach (ref readonly var entry in _entries.AsSpan())
        {
            var result = _encoder.Encode(entry, _output, SamplePayloads.Now);
            results += result.OwnIdHash + (ulong)result.Rejection.Reason;
            if (_output.WrittenCount > BatchBytes)
                _output.Truncate(0);
        }

        results += (ulong)_output.WrittenCount;
        _output.Truncate(0);
        return results;
    }
}
