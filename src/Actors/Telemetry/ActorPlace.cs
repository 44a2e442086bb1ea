using Akka.Actor;

namespace Bridge.Telemetry;

/// <summary>
/// Where an actor belongs, told by its path alone: what it is and of which bridge. Generations have numbers that nothing bounds; the
/// place is the same for all of them.
/// </summary>
/// <param name="Path">Its path below <c>/user</c>, without the numbers of generations; empty for Akka's own actors.</param>
/// <param name="Type">What it is, of a closed set.</param>
/// <param name="Bridge">The bridge that it works for; <c>-</c> where it works for none.</param>
internal readonly record struct ActorPlace(string Path, string Type, string Bridge)
{
    /// <summary>The bridge of those that work for none.</summary>
    public const string NoBridge = "-";

    /// <summary>What nobody has named.</summary>
    public static readonly ActorPlace Other = new("", "other", NoBridge);

    private static readonly ActorPlace System = new("", "system", NoBridge);

    /// <summary>The place of the actor with this path.</summary>
    public static ActorPlace Of(ActorPath path)
    {
        var names = path.Elements;
        if (names.Count < 2 || names[0] != "user")
            return names is ["system", ..] ? System : Other;
        var place = string.Join('/', names.Skip(1).Select((name, index) => index < 2 ? name : WithoutNumber(name)));
        return names switch
        {
            [_, "bridges"] => new ActorPlace(place, "bridges", NoBridge),
            [_, "bridges", var bridge] => new ActorPlace(place, "bridge", bridge),
            [_, "bridges", var bridge, var child] => new ActorPlace(place, TypeOf(WithoutNumber(child)), bridge),
            [_, "bridges", var bridge, _, "writers"] => new ActorPlace(place, "writers", bridge),
            [_, "bridges", var bridge, _, "writers", _] => new ActorPlace(place, "writer", bridge),
            [_, "bridges", var bridge, ..] => new ActorPlace(place, Other.Type, bridge),
            [_, Cluster.ClusterActor.Name] => new ActorPlace(place, "cluster", NoBridge),
            _ => new ActorPlace(place, Other.Type, NoBridge),
        };
    }

    private static string TypeOf(string name) => name is "connection" or "puller" or "lease" or "publisher" or "intake" ? name : Other.Type;

    private static string WithoutNumber(string name)
    {
        var text = name.AsSpan().TrimEnd("0123456789");
        return text.Length < name.Length && text is [.., _, '-'] ? text[..^1].ToString() : name;
    }
}
