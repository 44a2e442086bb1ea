using System.Text.Json;
using System.Text.Json.Serialization;
using Akka.Actor;
using Akka.Configuration;
using Akka.Serialization;

namespace Bridge.Cluster;

/// <summary>
/// The form in which nodes send one another messages: JSON under a name with a version. A field that a newer version added is
/// passed over by an older one, and has its default where an older one did not send it; what changes more than that gets a new name,
/// which an older one reads as <see cref="UnknownMessage" />. Types are never named on the wire: nothing that comes in can choose
/// what is made of it.
/// </summary>
public sealed class WireSerializer(ExtendedActorSystem system) : SerializerWithStringManifest(system)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    private static readonly (string Manifest, Type Type)[] Known =
    [
        ("status-1", typeof(NodeStatus)),
        ("take-over-1", typeof(TakeOver)),
        ("hello-1", typeof(Hello)),
        ("welcome-1", typeof(Welcome)),
    ];

    /// <inheritdoc />
    public override int Identifier => 92_014_001;

    /// <inheritdoc />
    public override string Manifest(object o)
    {
        ArgumentNullException.ThrowIfNull(o);
        return Array.Find(Known, known => known.Type == o.GetType()).Manifest ?? throw new ArgumentException($"{o.GetType().Name} does not travel between nodes", nameof(o));
    }

    /// <inheritdoc />
    public override byte[] ToBinary(object obj) => JsonSerializer.SerializeToUtf8Bytes(obj, obj.GetType(), Json);

    /// <inheritdoc />
    public override object FromBinary(byte[] bytes, string manifest)
    {
        if (Array.Find(Known, known => known.Manifest == manifest).Type is not { } type)
            return new UnknownMessage(manifest);
        try
        {
            return JsonSerializer.Deserialize(bytes, type, Json) ?? new UnknownMessage(manifest);
        }
        catch (JsonException)
        {
            // An enumeration's word, say, that is newer than this version.
            return new UnknownMessage(manifest);
        }
    }
}

/// <summary>
/// Stands in for Akka's general serializer, which makes whatever type a message names: between nodes only what
/// <see cref="WireSerializer" /> knows and what Akka's own parts send in forms of their own is read.
/// </summary>
public sealed class RefusingSerializer : Serializer
{
    /// <summary>What Akka calls.</summary>
    public RefusingSerializer(ExtendedActorSystem system)
        : base(system)
    {
    }

    /// <summary>What Akka calls where there are settings for it, as it has for the one whose name this one has.</summary>
    public RefusingSerializer(ExtendedActorSystem system, Config settings)
        : base(system)
    {
    }

    // That of Akka's JSON serializer, in whose place it stands.
    /// <inheritdoc />
    public override int Identifier => 1;

    /// <inheritdoc />
    public override bool IncludeManifest => false;

    /// <inheritdoc />
    public override byte[] ToBinary(object obj) => throw new NotSupportedException($"{obj?.GetType().Name} does not travel between nodes");

    /// <inheritdoc />
    public override object FromBinary(byte[] bytes, Type type) => new UnknownMessage("json");
}
