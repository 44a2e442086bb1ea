using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Bridge.Host.StatusPage;

/// <summary>The browsers that have shown the token. In memory: a restart ends them. Thread-safe.</summary>
/// <param name="time">The clock of their lifetime.</param>
internal sealed class PageSessions(TimeProvider time)
{
    /// <summary>How many there may be; one more ends the oldest.</summary>
    public const int Most = 64;

    /// <summary>How long one lasts.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    private readonly Lock gate = new();
    // By their digests, so that how long a look takes tells nothing of what is looked for.
    private readonly OrderedDictionary<string, long> begun = [];

    /// <summary>Begins one, and gives its name: 256 random bits.</summary>
    public string Begin()
    {
        var session = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        lock (gate)
        {
            if (begun.Count == Most)
                begun.RemoveAt(0);
            begun.Add(Digest(session), time.GetTimestamp());
        }

        return session;
    }

    /// <summary>Whether there is one of this name.</summary>
    public bool Holds(string session)
    {
        lock (gate)
            return begun.TryGetValue(Digest(session), out var since) && time.GetElapsedTime(since) < Lifetime;
    }

    /// <summary>Ends it.</summary>
    public void End(string session)
    {
        lock (gate)
            begun.Remove(Digest(session));
    }

    private static string Digest(string session) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(session)));
}
