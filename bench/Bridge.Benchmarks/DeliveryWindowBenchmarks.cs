using System.Buffers;
using BenchmarkDotNet.Attributes;
using Bridge.Connection;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Benchmarks;

/// <summary>What the window costs an entry from its release by the writers to its settlement.</summary>
public class DeliveryWindowBenchmarks
{
    private const int Entries = 512;
    private const int StanzaBytes = 320;

    private static readonly TimeSpan Hold = TimeSpan.FromSeconds(2);

    private static readonly WindowSettings Limits = new()
    {
        UnconfirmedEntries = 10_000,
        UnconfirmedBytes = 16 * 1024 * 1024,
        HeldEntries = 1_000_000,
        HeldBytes = 1_000_000_000,
        BarrierEntries = 500,
        BarrierBytes = 64 * 1024,
        TargetRoundTrip = TimeSpan.FromMilliseconds(500),
    };

    private readonly EncodedEntry[] _entries =
    [
        .. Enumerable.Range(0, Entries).Select(index => new EncodedEntry(
            EntryPosition.OfSequence((ulong)index + 1), index * StanzaBytes, StanzaBytes, 300, default, 0, SamplePayloads.Now)),
    ];

    private DeliveryWindow _window = Window(ConfirmGrade.Accepted);

    [ParamsAllValues]
    public ConfirmGrade Grade { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _window = Window(Grade);
        if (Deliver() != Entries)
            throw new InvalidOperationException("Not every entry was settled.");
    }

    private static DeliveryWindow Window(ConfirmGrade grade) =>
        new(Limits, grade, Hold, new EndingBook(new OutcomeSettings { MaxEntries = 1, Buffer = 1 }, new AnswerSettings(), new RetrySettings(), grade, default));

    [Benchmark(OperationsPerInvoke = Entries)]
    public long Deliver()
    {
        var now = TimeSpan.FromSeconds(1);
        _window.Append(new EncodedBatch(1, 0, _entries, ArrayPool<byte>.Shared.Rent(Entries * StanzaBytes)), now);
        var written = 0;
        while (_window.TryNextWrite(null, 1, now, out var step))
            written += step.Length;
        if (written != Entries * StanzaBytes)
            throw new InvalidOperationException("Not everything was written.");
        // The entries behind the last of the barriers that the window asked for get one too, as they
        // do once those come back.
        var closing = _window.NextBarrier(now).Barrier;
        for (var barrier = closing - _window.OutstandingBarriers + 1; barrier <= closing; barrier++)
            _window.BarrierReturned(barrier, now);
        // The proof that the server outlived the hold.
        var proof = _window.NextBarrier(now + Hold + Hold);
        _window.BarrierReturned(proof.Barrier, now + Hold + Hold);
        var settled = _window.TakeSettleable()!.Entries;
        // The next round's entries have the same positions.
        _window.ForgetAll(EntryPosition.Zero);
        return settled;
    }
}
