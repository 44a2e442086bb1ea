using Bridge.Queue;
using Bridge.Settings;
using Bridge.Simulation.Tests.Machine;

namespace Bridge.Simulation.Tests.Schedules;

/// <summary>The permission to write as a mistaken Bridge would have it, asked in place of its own <see cref="LeaseDeadline" />.</summary>
internal sealed class MistakenDeadline(Sabotage sabotage, NodeClock clock, LeaseSettings settings)
{
    private readonly TimeSpan _validFor = settings.TimeToLive - settings.SafetyMargin;
    private long _answeredAt = long.MinValue;
    private DateTimeOffset _sentAtOnTheWall;

    /// <summary>Null where the sabotage concerns something else.</summary>
    public static MistakenDeadline? Of(Sabotage sabotage, NodeClock clock, LeaseSettings settings) =>
        sabotage is Sabotage.LeaseDeadlineIsIgnored or Sabotage.RenewalCountsFromItsReply or Sabotage.DeadlineIsOnTheWall
            ? new MistakenDeadline(sabotage, clock, settings)
            : null;

    public bool MayWriteNow() => sabotage switch
    {
        Sabotage.RenewalCountsFromItsReply => clock.GetTimestamp() < _answeredAt + _validFor.Ticks,
        Sabotage.DeadlineIsOnTheWall => clock.GetUtcNow() < _sentAtOnTheWall + _validFor,
        _ => true,
    };

    /// <summary>A lease whose answers it hears of.</summary>
    public IQueueLease Hear(IQueueLease lease) => new Heard(this, lease);

    private async Task<T> HearAsync<T>(Task<T> call, Predicate<T> isOurs)
    {
        var sentAtOnTheWall = clock.GetUtcNow();
        var answer = await call.ConfigureAwait(false);
        if (isOurs(answer))
            (_answeredAt, _sentAtOnTheWall) = (clock.GetTimestamp(), sentAtOnTheWall);
        return answer;
    }

    private sealed class Heard(MistakenDeadline deadline, IQueueLease lease) : IQueueLease
    {
        public Task<LeaseAttempt> TryAcquireAsync() => deadline.HearAsync(lease.TryAcquireAsync(), attempt => attempt.Grant is not null);

        public Task<bool> RenewAsync(LeaseGrant grant) => deadline.HearAsync(lease.RenewAsync(grant), stillOurs => stillOurs);

        public Task<QueueOrder> ReadOrderAsync() => lease.ReadOrderAsync();

        public Task<bool> IsFreeAsync() => lease.IsFreeAsync();

        public Task ReleaseAsync(LeaseGrant grant) => lease.ReleaseAsync(grant);

        public ValueTask DisposeAsync() => lease.DisposeAsync();
    }
}
