using Bridge.Queue;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Queue;

/// <summary>One owner per queue and per domain.</summary>
public sealed class RedisQueueLeaseTests(RedisFixture fixture) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task Only_one_of_two_holds_the_lease_and_the_other_follows_it()
    {
        await using var queue = await QueueUnderTest.ConnectAsync(QueueKind.List, fixture.Redis);
        var second = queue.LeaseOn(queue.Link, "other.example");
        var grant = await queue.AcquireAsync();

        var refused = await second.TryAcquireAsync();
        Assert.Null(refused.Grant);
        Assert.Equal(queue.Keys.Lease + " is held by another process", refused.Holder);
        Assert.Equal(new LeaseAttempt(null, refused.Holder), await second.TryAcquireAsync());

        await queue.Lease.ReleaseAsync(grant);
        await queue.Lease.ReleaseAsync(grant);
        var next = await second.TryAcquireAsync();
        Assert.Equal(grant.Epoch + 1, next.Grant?.Epoch);
        Assert.False(await queue.Lease.RenewAsync(grant));
        await queue.Lease.ReleaseAsync(grant);
        Assert.True(await second.RenewAsync(next.Grant!));
        Assert.True(await second.RenewAsync(next.Grant!));
    }

    [Fact]
    public async Task A_domain_that_another_queue_holds_gives_the_queue_back()
    {
        await using var queue = await QueueUnderTest.ConnectAsync(QueueKind.List, fixture.Redis);
        await using var other = await QueueUnderTest.ConnectAsync(QueueKind.List, fixture.Redis);
        var first = queue.LeaseOn(queue.Link, "shared.example");
        var second = other.LeaseOn(other.Link, "shared.example");
        var grant = (await first.TryAcquireAsync()).Grant!;

        var refused = await second.TryAcquireAsync();

        Assert.Null(refused.Grant);
        Assert.StartsWith("bridge:domain:shared.example is held", refused.Holder, StringComparison.Ordinal);
        Assert.False(await other.App.KeyExistsAsync(other.Keys.Lease));
        await first.ReleaseAsync(grant);
        Assert.NotNull((await second.TryAcquireAsync()).Grant);
    }

    [Fact]
    public async Task A_lease_that_nobody_renews_ends_by_itself()
    {
        await using var queue = await QueueUnderTest.ConnectAsync(QueueKind.List, fixture.Redis);
        var brief = queue.LeaseOn(queue.Link, "brief.example", TimeSpan.FromMilliseconds(150));
        Assert.NotNull((await brief.TryAcquireAsync()).Grant);

        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while ((await brief.TryAcquireAsync()).Grant is null)
            await tick.WaitForNextTickAsync(deadline.Token);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_attempt_whose_answer_was_lost_locks_nobody_out(bool queueLease)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.ConnectAsync(QueueKind.List, redis, settings => settings with { CallTimeout = TimeSpan.FromSeconds(1) });
        var domain = QueueKeys.DomainLease("component.example." + queue.Keys.Queue);
        // Connected, so that the attempt reaches the socket.
        await queue.Lease.ReleaseAsync(new LeaseGrant("none", 0));
        redis.Freeze();
        await QueueUnderTest.FaultsAsync(QueueFault.Unreachable, queue.Lease.TryAcquireAsync);
        redis.Thaw();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!await queue.App.KeyExistsAsync(queue.Keys.Lease))
            await tick.WaitForNextTickAsync(deadline.Token);
        var late = ((string)(await queue.App.StringGetAsync(queue.Keys.Lease))!).Split(':');
        if (!queueLease)
        {
            // The attempt's second half was the one that ran late, under an epoch of its own.
            await queue.App.KeyDeleteAsync(queue.Keys.Lease);
            await queue.App.StringSetAsync(domain, late[0] + ":77");
        }

        await using var link = new RedisLink(queue.Settings.Redis, "bridge-other", queue.Settings.CallTimeout);
        var other = await queue.LeaseOn(link, "component.example." + queue.Keys.Queue).TryAcquireAsync();
        var grant = await queue.AcquireAsync();

        Assert.Null(other.Grant);
        Assert.Equal(late[0], grant.Token);
        Assert.Equal(1, (await queue.RecoverAsync()).Session.Number);
        // Should it run behind the granted one only, that one stays as it is.
        var again = RedisScript.Load("lease-acquire-queue").Arguments([queue.Keys.Lease, queue.Keys.Confirmed, queue.Keys.None, queue.Keys.Order], grant.Token, 60_000);
        (await queue.Link.CallAsync(database => database.ExecuteRespAsync("EVAL", again))).Dispose();
        Assert.Equal($"{grant.Token}:{grant.Epoch}", (string?)await queue.App.StringGetAsync(domain));
        await queue.TakeAsync();
        await queue.Lease.ReleaseAsync(grant);
        var next = await queue.AcquireAsync();
        Assert.NotEqual(grant.Token, next.Token);
        Assert.Equal(grant.Epoch + 1, next.Epoch);
    }

    [Fact]
    public async Task Losing_either_key_is_losing_the_lease()
    {
        await using var queue = await QueueUnderTest.ConnectAsync(QueueKind.List, fixture.Redis);
        foreach (var key in new[] { queue.Keys.Lease, QueueKeys.DomainLease("component.example." + queue.Keys.Queue) })
        {
            var grant = await queue.AcquireAsync();
            Assert.True(await queue.Lease.RenewAsync(grant));
            Assert.True(await queue.App.KeyDeleteAsync(key));
            Assert.False(await queue.Lease.RenewAsync(grant));
            await queue.Lease.ReleaseAsync(grant);
        }
    }

    [Fact]
    public async Task A_renewal_keeps_the_session()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.List, fixture.Redis);
        Assert.True(await queue.Lease.RenewAsync(queue.Grant));
        await queue.PushAsync(1);
        Assert.Single(await queue.TakeAllAsync());
    }
}
