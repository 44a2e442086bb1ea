using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

/// <summary>Tokens and order of a lease of two keys, on a store that may give calls up and run them later.</summary>
public sealed class TwoKeyLeaseTests : IAsyncDisposable
{
    private readonly Store _store = new();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task Both_keys_are_taken_under_one_token()
    {
        var attempt = await _store.TryAcquireAsync();

        Assert.Equal((attempt.Grant!.Token, attempt.Grant.Token), (_store.Queue, _store.Domain));
        Assert.True(await _store.RenewAsync(attempt.Grant));
    }

    [Fact]
    public async Task What_is_to_stay_drained_is_not_taken()
    {
        _store.Order = QueueOrder.Drain;
        var attempt = await _store.TryAcquireAsync();

        Assert.Equal((null, QueueOrder.Drain, null), (attempt.Grant, attempt.Order, _store.Queue));
    }

    [Fact]
    public async Task Whoever_takes_it_learns_that_it_is_to_pause()
    {
        _store.Order = QueueOrder.Pause;
        var attempt = await _store.TryAcquireAsync();

        Assert.NotNull(attempt.Grant);
        Assert.Equal(QueueOrder.Pause, attempt.Order);
    }

    [Fact]
    public async Task An_attempt_whose_answer_was_lost_is_made_again_under_the_same_token()
    {
        _store.LoseAnswersToAcquireQueue = true;
        await Assert.ThrowsAsync<QueueFaultException>(_store.TryAcquireAsync);
        _store.LoseAnswersToAcquireQueue = false;

        Assert.NotNull((await _store.TryAcquireAsync()).Grant);
    }

    [Fact]
    public async Task A_release_that_runs_late_does_not_end_the_lease_that_was_granted_since()
    {
        _store.DomainFails = _store.ReleasesRunLate = true;
        await Assert.ThrowsAsync<QueueFaultException>(_store.TryAcquireAsync);
        // What the failed attempt had won runs out.
        _store.Queue = null;
        _store.DomainFails = _store.ReleasesRunLate = false;
        var attempt = await _store.TryAcquireAsync();
        _store.RunLateReleases();

        Assert.True(await _store.RenewAsync(attempt.Grant!));
    }

    [Fact]
    public async Task Where_another_has_the_domain_the_queue_is_given_back_and_its_token_not_used_again()
    {
        _store.Domain = "another";
        var attempt = await _store.TryAcquireAsync();
        Assert.Equal((null, "domain 7", null), (attempt.Grant, attempt.Holder, _store.Queue));

        _store.Domain = null;
        Assert.DoesNotContain((await _store.TryAcquireAsync()).Grant!.Token, _store.Released);
    }

    [Fact]
    public async Task What_may_have_been_won_of_the_domain_is_given_back_as_well()
    {
        _store.LoseAnswersToAcquireDomain = true;
        await Assert.ThrowsAsync<QueueFaultException>(_store.TryAcquireAsync);

        Assert.Equal((null, null), (_store.Queue, _store.Domain));
    }

    private sealed class Store : TwoKeyLease
    {
        private readonly List<Action> _late = [];
        private long _epoch;

        public string? Queue { get; set; }

        public string? Domain { get; set; }

        public bool LoseAnswersToAcquireQueue { get; set; }

        public bool LoseAnswersToAcquireDomain { get; set; }

        public bool DomainFails { get; set; }

        public bool ReleasesRunLate { get; set; }

        public List<string> Released { get; } = [];

        public void RunLateReleases() => _late.ForEach(release => release());

        public QueueOrder Order { get; set; }

        public override Task<QueueOrder> ReadOrderAsync() => Task.FromResult(Order);

        public override Task<bool> IsFreeAsync() => Task.FromResult(Queue is null && Domain is null);

        protected override Task<(bool Granted, long Number)> AcquireQueueAsync(string token)
        {
            if (Order == QueueOrder.Drain)
                return Task.FromResult((false, IsToStayDrained));
            var isFree = (Queue ??= token) == token;
            return LoseAnswersToAcquireQueue ? throw Unreachable() : Task.FromResult((isFree, isFree ? ++_epoch : 7));
        }

        protected override Task<(bool Granted, long Number)> AcquireDomainAsync(LeaseGrant grant)
        {
            if (DomainFails)
                throw Unreachable();
            var isFree = (Domain ??= grant.Token) == grant.Token;
            return LoseAnswersToAcquireDomain ? throw Unreachable() : Task.FromResult((isFree, 7L));
        }

        protected override Task<bool> RenewQueueAsync(string token) => Task.FromResult(Queue == token);

        protected override Task<bool> RenewDomainAsync(string token) => Task.FromResult(Domain == token);

        protected override Task ReleaseQueueAsync(string token) => ReleaseAsync(token, () => Queue = Queue == token ? null : Queue);

        protected override Task ReleaseDomainAsync(string token) => ReleaseAsync(token, () => Domain = Domain == token ? null : Domain);

        protected override string QueueHolder(long lives) => $"queue {lives}";

        protected override string DomainHolder(long lives) => $"domain {lives}";

        private Task ReleaseAsync(string token, Action release)
        {
            Released.Add(token);
            if (!ReleasesRunLate)
            {
                release();
                return Task.CompletedTask;
            }

            _late.Add(release);
            return Task.FromException(Unreachable());
        }

        private static QueueFaultException Unreachable() => new(QueueFault.Unreachable, "no answer");
    }
}
