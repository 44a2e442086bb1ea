namespace Bridge.Simulation.Tests.Schedules;

/// <summary>Parts broken on purpose, which the simulation must find out.</summary>
internal enum Sabotage
{
    /// <summary>None: the simulation as it should be.</summary>
    None,

    /// <summary>The scripts do not compare the session: what runs late changes the queue.</summary>
    QueueIsNotFenced,

    /// <summary>A take leaves nothing in the journal: what was taken is settled before it was written.</summary>
    QueueSettlesWhatItGives,

    /// <summary>Barriers are returned by the network, before the server has worked off what stands before them.</summary>
    BarriersReturnEarly,

    /// <summary>The encoder accepts an entry and writes nothing.</summary>
    EncoderDropsEveryFifth,

    /// <summary>The encoder writes the neighbour's stanza.</summary>
    EncoderSwapsNeighbours,

    /// <summary>What ended already is told again, should the settlement say it again.</summary>
    QueueTellsAgain,

    /// <summary>Socket writes do not look at the lease's deadline.</summary>
    LeaseDeadlineIsIgnored,

    /// <summary>A server that was restarted says that it had lived on.</summary>
    ServerHidesItsRestart,

    /// <summary>A renewal moves the deadline as if it had been sent when its answer came.</summary>
    RenewalCountsFromItsReply,

    /// <summary>The deadline is measured by the clock on the wall.</summary>
    DeadlineIsOnTheWall,

    /// <summary>The script that settles compares neither lease nor session; the one that takes does.</summary>
    SettlementIsNotFenced,

    /// <summary>A lease that is about to run out is given to whoever asks for it.</summary>
    LeaseIsGrantedEarly,
}
