using Bridge.Outcomes;
using Bridge.Settings;
using Bridge.Simulation.Tests.Machine;
using Bridge.Simulation.Tests.Redis;

namespace Bridge.Simulation.Tests.Schedules;

/// <summary>
/// What became of every message, as seen from outside of Bridge: by the app, by Redis, by the server and by
/// the recipients. Holds the promises against it while the schedule runs, and at its end.
/// </summary>
internal sealed class Ledger(World world, Plan plan)
{
    private sealed class Record
    {
        /// <summary>Redis has accepted the push.</summary>
        public bool IsPushed;

        /// <summary>Redis lost the push together with its last writes.</summary>
        public bool Forgotten;

        /// <summary>A server has worked it off, in some stream.</summary>
        public bool Processed;

        /// <summary>A barrier that a server returned stood behind it.</summary>
        public bool Confirmed;

        /// <summary>The server died after it had confirmed it and before it had handed it on.</summary>
        public bool DiedWithServer;

        /// <summary>It was put off: others may arrive before it.</summary>
        public bool WasPutOff;

        public int Arrivals;

        /// <summary>When it left the journal; null while it has not.</summary>
        public long? SettledAt;

        /// <summary>Which life of a process had the lease then, as far as Redis knew.</summary>
        public long? SettledBy;
    }

    private readonly Record[] _records = [.. plan.Messages.Select(_ => new Record())];
    private readonly List<int> _firstArrivals = [];
    private bool _hasForgotten;

    /// <summary>Whether something happened that may make a message arrive twice.</summary>
    public bool MayRepeat { get; set; } = plan.Faults.Length > 0 || plan.Messages.Any(message => message.Kind is MessageKind.Poison or MessageKind.SilentPoison);

    public int Arrived => _firstArrivals.Count;

    public int Repeated { get; private set; }

    public void Pushed(int message) => _records[message].IsPushed = true;

    /// <summary>A server works a message off.</summary>
    /// <param name="message">Which.</param>
    /// <param name="streamOpenedAt">When the stream began that brought it.</param>
    /// <param name="sender">The life of the process that sent it.</param>
    public void Processed(int message, long streamOpenedAt, long sender)
    {
        var record = _records[message];
        record.Processed = true;
        // A Redis that lost a lease has given it to two: the first one goes on until it learns of it.
        var byAnotherOwner = _hasForgotten && record.SettledBy != sender;
        if (record.SettledAt < streamOpenedAt && !byAnotherOwner)
            world.Break($"message {message} was sent on a stream that began after it had been settled");
    }

    public void Confirmed(int message) => _records[message].Confirmed = true;

    public void HandedOn(int message)
    {
        var record = _records[message];
        if (record.Arrivals++ > 0)
        {
            Repeated++;
            if (!MayRepeat)
                world.Break($"message {message} arrived twice, and nothing had gone wrong");
            return;
        }

        // One that was refused is sent again, by a retry or with the rest of a stream that ended; one that was too early is not any
        // more when whoever comes next reads it.
        if (record.WasPutOff || plan.Messages[message].Kind is MessageKind.Busy or MessageKind.Early)
            return;
        if (_firstArrivals.Count > 0 && _firstArrivals[^1] > message && !_records[message].Forgotten)
            world.Break($"message {message} arrived for the first time after message {_firstArrivals[^1]}");
        _firstArrivals.Add(message);
    }

    /// <summary>The server died with this one in its memory.</summary>
    public void DiedWithServer(int message)
    {
        if (_records[message].Confirmed)
            _records[message].DiedWithServer = true;
    }

    /// <summary>Redis removes the message from the journal, not because it went to the dead letters.</summary>
    public void Settled(int message, long? owner)
    {
        var record = _records[message];
        (record.SettledAt, record.SettledBy) = (world.Now, owner);
        if (!record.Confirmed)
            world.Break($"message {message} left the journal before a barrier behind it had returned");
        else if (record.Arrivals == 0 && plan.Grade != ConfirmGrade.Accepted && plan.Messages[message].Kind is not (MessageKind.Bounces or MessageKind.Busy))
            world.Break($"message {message} was held, and left the journal before the server had handed it on");
    }

    public void DeadLettered(int message, long? owner)
    {
        (_records[message].SettledAt, _records[message].SettledBy) = (world.Now, owner);
        if (plan.Messages[message].Kind is not (MessageKind.Bad or MessageKind.Poison or MessageKind.SilentPoison))
            world.Break($"message {message} is {plan.Messages[message].Kind}, and was dead-lettered");
    }

    /// <summary>It ends before its neighbours, and nobody will send it again.</summary>
    public void EndedEarly(int message, long? owner)
    {
        var record = _records[message];
        (record.SettledAt, record.SettledBy) = (world.Now, owner);
        var answered = plan.Messages[message].Kind switch
        {
            MessageKind.Bounces or MessageKind.Busy => record.Processed,
            MessageKind.AsksReceipt => record.Arrivals > 0,
            _ => false,
        };
        if (!answered)
            world.Break($"message {message} was not answered, and ended as if it had been");
    }

    /// <summary>It is sent later, by whoever owns the queue then.</summary>
    public void PutOff(int message)
    {
        var record = _records[message];
        (record.SettledAt, record.SettledBy, record.WasPutOff) = (null, null, true);
        if (plan.Messages[message].Kind is not (MessageKind.Early or MessageKind.Busy))
            world.Break($"message {message} is {plan.Messages[message].Kind}, and was put off");
    }

    /// <summary>Redis is what it was at an earlier moment.</summary>
    /// <param name="pushed">How many messages had been pushed at that moment.</param>
    /// <param name="has">What stands in its queue and journal again.</param>
    public void Forgot(int pushed, IEnumerable<int> has)
    {
        _hasForgotten = true;
        foreach (var record in _records.Skip(pushed))
            record.Forgotten |= record.IsPushed;
        foreach (var message in has)
            _records[message].SettledAt = null;
    }

    /// <summary>Everything is healed and quiet: what was promised must have come true.</summary>
    public void Close(RedisMemory redis)
    {
        var dead = redis.Dead;
        for (var message = 0; message < _records.Length; message++)
        {
            var record = _records[message];
            if (record.Forgotten)
                continue;
            if (!record.IsPushed)
                world.Break($"message {message} was never pushed: the schedule is broken");
            else if (plan.Messages[message].Kind is MessageKind.Bounces or MessageKind.Busy)
            {
                if (!record.Processed)
                    world.Break($"message {message} is lost");
            }
            else if (plan.Messages[message].Kind is MessageKind.Bad or MessageKind.Poison or MessageKind.SilentPoison)
            {
                if (record.Arrivals > 0)
                    world.Break($"message {message} is {plan.Messages[message].Kind}, and arrived");
                if (!dead.Contains(message))
                    world.Break($"message {message} is {plan.Messages[message].Kind}, and is not among the dead letters");
            }
            else if (record.Arrivals == 0 && !(plan.Grade == ConfirmGrade.Accepted && record.DiedWithServer))
                world.Break($"message {message} is lost");
        }

        CheckEndings(redis.Outcomes);
        if (dead.Count != dead.Distinct().Count())
            world.Break("a message is among the dead letters twice");
    }

    /// <summary>One ending each, where each is told; and a bounce behind it at most, which says that it is late.</summary>
    private void CheckEndings(IReadOnlyList<ToldEnding> told)
    {
        for (var message = 0; message < _records.Length; message++)
        {
            if (_records[message].Forgotten)
                continue;
            var kind = plan.Messages[message].Kind;
            Ending[] endings = [.. told.Where(ending => ending.Message == message && !ending.Late).Select(ending => ending.Ending)];
            var isOwed = plan.Outcomes == OutcomeMode.All || kind is MessageKind.Bad or MessageKind.Poison or MessageKind.SilentPoison;
            // Where nobody asked, a bounce ends nothing, and the message may be sent again and bounce again.
            var mayBeToldAgain = plan.Outcomes == OutcomeMode.Failures && kind is MessageKind.Bounces or MessageKind.Busy;
            if ((isOwed && endings.Length != 1) || (endings.Length > 1 && !mayBeToldAgain))
                world.Break($"message {message} is {kind}, and its endings are [{string.Join(", ", endings)}]");
            else if (endings is [var one] && !Expected(kind).Contains(one))
                world.Break($"message {message} is {kind}, and ended {one}");
            if (told.Any(ending => ending.Message == message && ending.Late && (kind is not (MessageKind.Bounces or MessageKind.Busy) || ending.Ending != Ending.Bounced)))
                world.Break($"message {message} is {kind}, and ended once more");
        }
    }

    private Ending SettledEnding => plan.Grade == ConfirmGrade.Accepted ? Ending.Accepted : Ending.Held;

    private Ending[] Expected(MessageKind kind) => kind switch
    {
        MessageKind.Good or MessageKind.Early => [SettledEnding],
        // Told of one that was sent again, or whose error came late or never.
        MessageKind.Bounces or MessageKind.Busy => [Ending.Bounced, SettledEnding],
        MessageKind.AsksReceipt => [Ending.Received, Ending.Unconfirmed],
        _ => [Ending.Dead],
    };
}
