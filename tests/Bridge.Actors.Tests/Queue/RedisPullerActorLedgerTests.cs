using Akka.Actor;
using Akka.TestKit;
using Bridge.Queue;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Queue;

/// <summary>
/// The puller's promise under everything that a queue and a connection can do to it: within one flow,
/// the entries that are handed over are exactly the journal's, in order, without a gap or a repeat, and
/// never more of them than the window allows.
/// </summary>
public sealed class RedisPullerActorLedgerTests : ActorSpec
{
    private const int Histories = 300;
    private const int StepsPerHistory = 120;
    private const int TakesInFlight = 3;
    private const int LongestPayload = 40;

    private static readonly QueueFault[] Faults =
    [
        QueueFault.Unreachable, QueueFault.OutOfMemory, QueueFault.NotReady, QueueFault.ReadOnly, QueueFault.Stale, QueueFault.Other,
    ];

    [Fact]
    public void Whatever_happens_each_flow_is_handed_the_journal_in_order_without_gap_or_repeat()
    {
        var seed = TestSeed.Of(20_260_517);
        long handed = 0;
        long flows = 0;
        for (var history = 0; history < Histories; history++)
        {
            var random = new Random(unchecked(seed + history * 7_919));
            var run = new History(this, new ScriptedQueue(), random, $"seed {seed}, history {history}");
            for (var step = 0; step < StepsPerHistory; step++)
                run.Step();
            run.ComeToRest();
            handed += run.HandedInAll;
            flows += run.Flow;
            run.Stop();
        }

        // The histories must have been worth it.
        Assert.True(handed > 20L * Histories, $"only {handed} entries were handed over");
        Assert.True(flows > 2L * Histories, $"only {flows} flows began");
    }

    /// <summary>One puller, its queue, and a connection that follows the rules.</summary>
    private sealed class History
    {
        private readonly RedisPullerActorLedgerTests _spec;
        private readonly Random _random;
        private readonly string _name;
        private readonly ScriptedQueue _queue;
        private readonly TestProbe _connection;
        private readonly TestProbe _writers;
        private readonly TestProbe _parent;
        private readonly IActorRef _puller;
        private readonly List<QueueCall> _givenUp = [];
        private readonly List<(long Sequence, int Bytes)> _window = [];

        private long _pushed;
        private long _settled;
        private long _nextSequence = 1;
        private long _handedEntries;
        private long _handedBytes;
        private int _done;
        private int _limit;
        private int _largestLimit;
        private long _byteLimit;

        public History(RedisPullerActorLedgerTests spec, ScriptedQueue queue, Random random, string name)
        {
            _spec = spec;
            _queue = queue;
            _random = random;
            _name = name;
            (_connection, _writers, _parent) = (spec.CreateTestProbe(), spec.CreateTestProbe(), spec.CreateTestProbe());
            _limit = _largestLimit = random.Next(1, 40);
            _byteLimit = random.Next(1, 600);
            if (random.Next(2) == 0)
            {
                var (first, count) = (random.Next(1, 5), random.Next(1, 20));
                _queue.LeaveInJournal(first, count);
                _pushed = first + count - 1;
                _settled = first - 1;
            }

            _puller = spec.ChildOf(_parent, RedisPullerActor.Props(
                spec.Settings().Queue with
                {
                    BatchEntries = random.Next(1, 9),
                    BatchBytes = random.Next(1, 200),
                    TakesInFlight = random.Next(1, TakesInFlight + 1),
                },
                ScriptedLease.Grant(),
                () => _queue,
                _connection.Ref,
                new BridgeMetrics(spec.Bridge)));
        }

        public long HandedInAll { get; private set; }

        public int Flow { get; private set; }

        public void Step()
        {
            switch (_random.Next(10))
            {
                case 0:
                    Push(_random.Next(1, 12));
                    break;
                case 1 when Flow > 0 && _random.Next(3) == 0:
                    BeginFlow();
                    break;
                case 1 when _random.Next(3) == 0:
                    ChangeLimit(_random.Next(0, 40));
                    break;
                case 2 or 3:
                    MoveWindow(_random.Next(0, _window.Count - _done + 1));
                    break;
                case 4:
                    Settle(_random.Next(0, _done + 1));
                    break;
                case 5 when Pending() is { Count: > 0 } pending && _random.Next(2) == 0:
                    Fail(pending[_random.Next(pending.Count)]);
                    break;
                case 6:
                    _spec.Pass(_random.Next(5) == 0 ? 600 : 30);
                    break;
                case 7:
                    RunNext();
                    break;
                default:
                    Answer();
                    break;
            }

            Look();
        }

        /// <summary>No more faults: all that was pushed must be handed over, and settle.</summary>
        public void ComeToRest()
        {
            foreach (var late in _givenUp)
                late.Run();
            ChangeLimit(20);
            for (var round = 0; round < 10_000; round++)
            {
                Look();
                MoveWindow(_window.Count - _done);
                Settle(_done);
                if (Pending() is not { Count: > 0 } pending)
                    _spec.Pass(100);
                else if (pending is [{ Kind: QueueCallKind.WaitAndTake }] && _queue.Queued.Count == 0 && _queue.Journal.Count == 0 && Flow > 0)
                    break;
                else if (pending.FirstOrDefault(call => call.Kind != QueueCallKind.WaitAndTake || call.HasRun || _queue.Queued.Count > 0) is { } call)
                    call.Answer();
                else
                    _spec.Pass(100);
            }

            Check(_queue.Queued.Count == 0 && _queue.Journal.Count == 0, $"{_queue.Queued.Count} queued and {_queue.Journal.Count} in the journal at rest");
            Check(_nextSequence == _pushed + 1, $"handed over up to {_nextSequence - 1} of {_pushed}");
        }

        public void Stop() => ((IInternalActorRef)_puller).Stop();

        private IReadOnlyList<QueueCall> Pending() => _queue.Pending;

        private void Push(int count)
        {
            _queue.Push([.. Enumerable.Range(0, count).Select(_ => new string('x', _random.Next(1, LongestPayload + 1)))]);
            _pushed += count;
        }

        /// <summary>The stream ended, and what is not settled is sent again, from somewhere on.</summary>
        private void BeginFlow()
        {
            var after = _settled;
            Flow++;
            _nextSequence = after + 1;
            _handedEntries = _handedBytes = _done = 0;
            _window.Clear();
            _puller.Tell(new RedisPullerActor.StartFlow(Flow, EntryPosition.OfSequence((ulong)after), _writers.Ref), _connection.Ref);
            MoveWindow(0);
        }

        private void ChangeLimit(int limit)
        {
            // What was asked for under a larger limit may still come.
            _largestLimit = Pending().Count == 0 && _window.Count == _done ? limit : Math.Max(_largestLimit, limit);
            _limit = limit;
            MoveWindow(0);
        }

        private void MoveWindow(int more)
        {
            if (Flow == 0)
                return;
            _done += more;
            _puller.Tell(
                new RedisPullerActor.WindowMoved(Flow, _done, _window.Take(_done).Sum(entry => (long)entry.Bytes), _limit, _byteLimit),
                _connection.Ref);
        }

        private void Settle(int entries)
        {
            if (entries == 0 || _window[entries - 1].Sequence <= _settled)
                return;
            _settled = _window[entries - 1].Sequence;
            _puller.Tell(
                new RedisPullerActor.Settle(new Settlement(EntryPosition.OfSequence((ulong)_settled), [], null)), _connection.Ref);
        }

        private void Fail(QueueCall call)
        {
            if (!call.HasRun && _random.Next(2) == 0)
                _givenUp.Add(call);
            call.Fail(Faults[_random.Next(Faults.Length)]);
        }

        /// <summary>Redis works: on the next call in the order of the calls, or on one that was given up long ago.</summary>
        private void RunNext()
        {
            if (_givenUp.Count > 0 && _random.Next(2) == 0)
            {
                _givenUp[0].Run();
                _givenUp.RemoveAt(0);
            }
            else
            {
                Pending().FirstOrDefault(call => !call.HasRun)?.Run();
            }
        }

        /// <summary>A reply arrives: replies come in any order, but Redis ran what was called before.</summary>
        private void Answer()
        {
            var pending = Pending();
            if (pending.Count == 0)
                return;
            var answered = pending[_random.Next(pending.Count)];
            foreach (var call in pending)
            {
                call.Run();
                if (call == answered)
                    break;
            }

            answered.Answer();
        }

        /// <summary>Takes in what the puller said, and holds it to the promise.</summary>
        private void Look()
        {
            foreach (var batch in Drain<StanzaWriterActor.EncodeBatch>(_writers))
            {
                if (batch.Flow != Flow)
                    continue;
                Check(batch.FirstOrdinal == _handedEntries, $"a batch says that {batch.FirstOrdinal} entries came before it, {_handedEntries} did");
                foreach (var entry in batch.Entries)
                {
                    Check((long)entry.Position.Low == _nextSequence, $"{entry.Position} was handed over in place of {_nextSequence}");
                    _nextSequence++;
                    _handedEntries++;
                    _handedBytes += entry.Payload.Length;
                    HandedInAll++;
                    _window.Add(((long)entry.Position.Low, entry.Payload.Length));
                }

                Check(_handedEntries - _done <= _largestLimit, $"{_handedEntries - _done} entries are in a window of {_largestLimit}");
                var open = _handedBytes - _window.Take(_done).Sum(entry => (long)entry.Bytes);
                // A single entry may exceed the bytes of its call.
                Check(open <= _byteLimit + TakesInFlight * LongestPayload, $"{open} bytes are in a window of {_byteLimit}");
            }

            foreach (var said in Drain<object>(_connection))
                if (said is RedisPullerActor.JournalRecovered)
                    BeginFlow();
            if (Drain<Supervisor.Failed>(_parent) is [var failed, ..])
                throw new InvalidOperationException($"{_name}: the puller died", failed.Cause);
        }

        private void Check(bool holds, string otherwise) => Assert.True(holds, $"{_name}: {otherwise}");
    }
}
