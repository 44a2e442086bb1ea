using Bridge.TestKit;

namespace Bridge.Integration.Tests.RedisDeployments;

/// <summary>The rights that docs/security.md names, as it names them.</summary>
internal static class AclLines
{
    /// <summary>What else the document has a bridge granted that uses every setting of its table, but for those of a cluster.</summary>
    public static IReadOnlyList<string> Besides { get; } =
        ["~app:inbox", "&xmpp:outbound:inbound:*", "&xmpp:send:*", "+publish", "+psubscribe", "+punsubscribe"];

    /// <summary>What a bridge on a Redis Cluster has besides.</summary>
    public static IReadOnlyList<string> OfACluster { get; } = ["+asking"];

    /// <summary>The words behind ACL SETUSER, the user's name first.</summary>
    public static IReadOnlyList<string> Of(string user)
    {
        var text = File.ReadAllText(Path.Combine(BridgeProcess.RepositoryRoot, "docs", "security.md"));
        var start = text.IndexOf("redis-cli ACL SETUSER " + user + " ", StringComparison.Ordinal);
        Assert.True(start >= 0, $"docs/security.md has no line for {user}.");
        // As a shell reads it: a line goes on behind a backslash, and quotes and other backslashes only protect what they stand around.
        var command = text[start..text.IndexOf("```", start, StringComparison.Ordinal)].Replace("\\\n", " ", StringComparison.Ordinal);
        return [.. command.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Skip(3).Select(word => word.Trim('\'').Replace("\\|", "|", StringComparison.Ordinal))];
    }
}
