using System.Net.Sockets;
using Bridge.Queue;
using StackExchange.Redis;

namespace Bridge.Actors.Tests.Queue;

public sealed class RedisFaultsTests
{
    public static TheoryData<string, string, QueueFault> Replies => new()
    {
        { "no credentials", "NOAUTH Authentication required.", QueueFault.Forbidden },
        { "wrong credentials", "WRONGPASS invalid username-password pair or user is disabled.", QueueFault.Forbidden },
        { "a command that the user may not run", "NOPERM this user has no permissions to run the 'eval' command", QueueFault.Forbidden },
        { "a key that the user may not touch, in a script of Redis 7", "NOPERM this user has no permissions to access one of the keys used as arguments script: 2f, on @user_script:3.", QueueFault.Forbidden },
        { "a command that the user may not run, in a script of Redis 7.0", "ERR The user executing the script can't run this command or subcommand script: 2f, on @user_script:3.", QueueFault.Forbidden },
        { "a command that the user may not run, in a script of Redis 7.2", "NOPERM ACL failure in script: User bridge has no permissions to run the 'xadd' command", QueueFault.Forbidden },
        { "a replica", "READONLY You can't write against a read only replica.", QueueFault.ReadOnly },
        { "a replica, in a script of Redis 7", "READONLY You can't write against a read only replica. script: 2f…, on @user_script:1.", QueueFault.ReadOnly },
        { "a replica, in a script of Redis 6.2", "ERR Error running script (call to f_2fa): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica.", QueueFault.ReadOnly },
        { "a replica without its primary", "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", QueueFault.ReadOnly },
        { "loading", "LOADING Redis is loading the dataset in memory", QueueFault.NotReady },
        { "busy", "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", QueueFault.NotReady },
        { "a slot on its way", "TRYAGAIN Multiple keys request during rehashing of slot", QueueFault.NotReady },
        { "a cluster that is down", "CLUSTERDOWN The cluster is down", QueueFault.NotReady },
        { "a script that was flushed", "NOSCRIPT No matching script. Please use EVAL.", QueueFault.NotReady },
        { "a role that changed under a wait", "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)", QueueFault.NotReady },
        { "a slot that moved", "MOVED 3999 127.0.0.1:6381", QueueFault.NotReady },
        { "too many clients", "ERR max number of clients reached", QueueFault.NotReady },
        { "full", "OOM command not allowed when used memory > 'maxmemory'.", QueueFault.OutOfMemory },
        { "full, in a script of Redis 7", "OOM command not allowed when used memory > 'maxmemory'. script: 2f, on @user_script:9.", QueueFault.OutOfMemory },
        { "full, in a script of Redis 6.2", "ERR Error running script (call to f_2fa): @user_script:9: @user_script: 9: -OOM command not allowed when used memory > 'maxmemory'.", QueueFault.OutOfMemory },
        { "cannot save", "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", QueueFault.RefusesWrites },
        { "cannot save, in a script of Redis 6.2", "ERR Error running script (call to f_2fa): @user_script:1: @user_script: 1: -MISCONF Redis is configured to save RDB snapshots", QueueFault.RefusesWrites },
        { "too few replicas", "NOREPLICAS Not enough good replicas to write.", QueueFault.RefusesWrites },
        { "another type", "WRONGTYPE Operation against a key holding the wrong kind of value", QueueFault.WrongType },
        { "another type, in a script of Redis 6.2", "ERR Error running script (call to f_2fa): @user_script:5: WRONGTYPE Operation against a key holding the wrong kind of value", QueueFault.WrongType },
        { "no group", "NOGROUP No such key 'q' or consumer group 'bridge' in XREADGROUP with GROUP option", QueueFault.GroupMissing },
        { "no group, in a script of Redis 6.2", "ERR Error running script (call to f_2fa): @user_script:7: -NOGROUP No such key 'q' or consumer group 'bridge'", QueueFault.GroupMissing },
        { "an old session", "BRIDGE-STALE the session is no longer the current one", QueueFault.Stale },
        { "no lease", "BRIDGE-LEASE-LOST the lease is not ours", QueueFault.LeaseLost },
        { "a journal that was edited", "BRIDGE-JOURNAL the sequences of the journal have a gap", QueueFault.Other },
        { "an unknown command", "ERR unknown command 'BLMOVE', with args beginning with: ", QueueFault.Other },
        { "a code inside other words", "ERR something about OOM", QueueFault.Other },
        { "nothing", "", QueueFault.Other },
    };

    public static TheoryData<string, Exception, QueueFault> Exceptions => new()
    {
        { "a fault with a name keeps it", new QueueFaultException(QueueFault.Stale, "x"), QueueFault.Stale },
        { "a reply is named by its words", Answered("LOADING Redis is loading"), QueueFault.NotReady },
        { "our deadline", new TimeoutException(), QueueFault.Unreachable },
        { "the client's deadline", new RedisTimeoutException(CommandFlags.None, "late", CommandStatus.Sent), QueueFault.Unreachable },
        { "no connection", Lost(ConnectionFailureType.SocketFailure), QueueFault.Unreachable },
        { "a refused login", Lost(ConnectionFailureType.AuthenticationFailure), QueueFault.Forbidden },
        { "a refused login in other words", Lost(ConnectionFailureType.UnableToConnect, Answered("NOAUTH Authentication required.")), QueueFault.Forbidden },
        { "a connection thrown away under the call", new ObjectDisposedException("multiplexer"), QueueFault.Unreachable },
        { "a socket", new SocketException(), QueueFault.Unreachable },
        { "a slot that moved, whither is not followed", new RedisServerException(RedisErrorKind.Moved, CommandFlags.None, "Key has MOVED"), QueueFault.NotReady },
        { "only replicas", new RedisCommandException("Command cannot be issued to a replica: EVAL"), QueueFault.ReadOnly },
        { "another mistake", new InvalidOperationException("x"), QueueFault.Other },
    };

    [Theory]
    [MemberData(nameof(Replies))]
    public void A_reply_has_a_name(string row, string reply, QueueFault fault) =>
        Assert.True(fault == RedisFaults.Classify(reply), row);

    [Theory]
    [MemberData(nameof(Exceptions))]
    public void An_exception_has_a_name(string row, Exception exception, QueueFault fault) =>
        Assert.True(fault == RedisFaults.Classify(exception), row);

    private static RedisServerException Answered(string text) => new(RedisErrorKind.Unknown, CommandFlags.None, text);

    private static RedisConnectionException Lost(ConnectionFailureType type, Exception? cause = null) =>
        new(type, CommandFlags.None, "gone", cause, CommandStatus.Unknown);
}
