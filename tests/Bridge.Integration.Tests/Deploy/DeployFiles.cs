using System.Globalization;
using Bridge.TestKit;
using k8s;
using k8s.Models;

namespace Bridge.Integration.Tests.Deploy;

/// <summary>The files in <c>deploy</c>.</summary>
internal static class DeployFiles
{
    /// <summary>The systemd unit.</summary>
    public static string Unit => Path.Combine(BridgeProcess.RepositoryRoot, "deploy", "systemd", "bridge.service");

    /// <summary>The folder of the Kubernetes objects.</summary>
    public static string Kubernetes => Path.Combine(BridgeProcess.RepositoryRoot, "deploy", "kubernetes");

    /// <summary>The nodes.</summary>
    public static V1StatefulSet StatefulSet => Objects("statefulset.yaml").OfType<V1StatefulSet>().Single();

    /// <summary>The objects of one file, read as the types of Kubernetes' API; a field that these do not have, or one that stands twice, throws.</summary>
    public static List<object> Objects(string file) => Read(File.ReadAllText(Path.Combine(Kubernetes, file)));

    /// <summary>As <see cref="Objects"/>, from a text.</summary>
    public static List<object> Read(string yaml) => KubernetesYaml.LoadAllFromString(yaml, strict: true);

    /// <summary>The values of a setting of the unit, in order.</summary>
    public static IEnumerable<string> UnitValues(string name) =>
        File.ReadLines(Unit).Where(line => line.StartsWith(name + "=", StringComparison.Ordinal)).Select(line => line[(name.Length + 1)..]);

    /// <summary>A duration of the unit that is given in seconds.</summary>
    public static TimeSpan UnitSeconds(string name) =>
        TimeSpan.FromSeconds(int.Parse(UnitValues(name).Single().TrimEnd('s'), CultureInfo.InvariantCulture));
}
