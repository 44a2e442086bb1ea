using System.Globalization;
using Bridge.Host.Cli;
using Bridge.Host.Configuration;
using k8s.Models;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Bridge.Integration.Tests.Deploy;

/// <summary>No Kubernetes runs here. What can be said without one: the objects are of its API, and agree with one another and with the program.</summary>
public sealed class KubernetesFilesTests
{
    private const string Token = "0123456789abcdef0123456789abcdef";

    private static readonly V1StatefulSet Nodes = DeployFiles.StatefulSet;
    private static readonly V1PodSpec Pod = Nodes.Spec.Template.Spec;
    private static readonly V1Container Container = Pod.Containers.Single();

    public static TheoryData<string, int> Files => new()
    {
        { "statefulset.yaml", 1 },
        { "services.yaml", 2 },
        { "disruption.yaml", 1 },
        { "network.yaml", 1 },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_field_is_one_of_the_API_and_every_file_says_that_it_was_not_run(string file, int objects)
    {
        Assert.Equal(objects, DeployFiles.Objects(file).Count);
        Assert.Contains("NOT RUN", File.ReadLines(Path.Combine(DeployFiles.Kubernetes, file)).First(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("replicas: 2", "replica: 2")]
    [InlineData("periodSeconds: 1\n", "periodSecond: 1\n")]
    [InlineData("readOnlyRootFilesystem: true", "readonlyRootFilesystem: true")]
    public void A_field_that_the_API_does_not_have_is_found(string right, string wrong)
    {
        var text = File.ReadAllText(Path.Combine(DeployFiles.Kubernetes, "statefulset.yaml"));
        Assert.Contains(right, text, StringComparison.Ordinal);

        Assert.Throws<YamlException>(() => DeployFiles.Read(text.Replace(right, wrong, StringComparison.Ordinal)));
    }

    [Fact]
    public void The_kustomization_names_what_is_there()
    {
        using var reader = File.OpenText(Path.Combine(DeployFiles.Kubernetes, "kustomization.yaml"));
        var stream = new YamlStream();
        stream.Load(reader);
        var root = (YamlMappingNode)stream.Documents.Single().RootNode;

        // Of the kind's fields, those that stand here.
        Assert.Equal(
            ["apiVersion", "configMapGenerator", "images", "kind", "labels", "resources"],
            root.Children.Keys.Select(key => key.ToString()).Order(StringComparer.Ordinal));
        Assert.Equal(
            Directory.GetFiles(DeployFiles.Kubernetes, "*.yaml").Select(Path.GetFileName).Where(name => name != "kustomization.yaml").Order(StringComparer.Ordinal),
            ((YamlSequenceNode)root["resources"]).Select(node => node.ToString()).Order(StringComparer.Ordinal));
        var map = ((YamlSequenceNode)root["configMapGenerator"]).Single();
        Assert.Equal(Pod.Volumes.Single(volume => volume.ConfigMap is not null).ConfigMap.Name, map["name"].ToString());
        Assert.Equal("bridge.conf", ((YamlSequenceNode)map["files"]).Single().ToString());
        Assert.Equal(Container.Image, ((YamlSequenceNode)root["images"]).Single()["name"].ToString());
    }

    [Theory]
    [InlineData("bridge-0", true)]
    [InlineData("bridge-1", true)]
    [InlineData("bridge-2", false)]
    public void The_program_accepts_what_a_pod_gives_it(string pod, bool isSeed)
    {
        var configuration = Configuration(pod);

        var cluster = configuration.Cluster!;
        Assert.Equal($"{pod}.{Nodes.Spec.ServiceName}:{Port("cluster")}", cluster.Node);
        Assert.Equal(("0.0.0.0", Port("cluster")), (cluster.BindHost, cluster.BindPort));
        Assert.Equal(isSeed, cluster.Seeds.Contains(cluster.Node));
        Assert.Equal(Enumerable.Range(0, 2).Select(number => $"{Nodes.Metadata.Name}-{number}.{Nodes.Spec.ServiceName}:{Port("cluster")}"), cluster.Seeds);
        Assert.True(Nodes.Spec.Replicas >= cluster.Seeds.Length);
        // The probes come to the pod's address.
        Assert.Equal(new HttpAddress("*", Port("http")), configuration.Http);
        Assert.Equal(Token, configuration.Page.Token?.Reveal());
        Assert.Equal(LogFormat.Json, configuration.LogFormat);
        Assert.Equal("from-the-secret", Assert.Single(configuration.Bridges).Xmpp.Secret.Reveal());
        Assert.Equal(Nodes.Spec.Template.Metadata.Annotations["prometheus.io/port"], Port("http").ToString(CultureInfo.InvariantCulture));
        Assert.True(Nodes.Spec.MinReadySeconds >= cluster.SettleTime.TotalSeconds);
    }

    [Fact]
    public void Every_variable_is_one_that_the_program_reads_and_those_of_services_are_kept_out()
    {
        Assert.All(
            Container.Env.Select(variable => variable.Name).Where(name => name.StartsWith("BRIDGE_", StringComparison.Ordinal)),
            name => Assert.Contains(name, EnvironmentKeys.All));
        Assert.False(Pod.EnableServiceLinks);
    }

    [Fact]
    public void The_command_is_one_that_the_program_knows_and_its_file_is_in_the_volume()
    {
        Assert.Empty(BridgeCommandLine.Build().Parse([.. Container.Args]).Errors);
        var file = Container.Args[2];
        var mount = Container.VolumeMounts.Single(mount => mount.MountPath == Path.GetDirectoryName(file));
        Assert.NotNull(Pod.Volumes.Single(volume => volume.Name == mount.Name).ConfigMap);
        Assert.True(File.Exists(Path.Combine(DeployFiles.Kubernetes, Path.GetFileName(file))));
    }

    [Fact]
    public void Services_policies_and_spreading_mean_the_pods_and_ports_that_there_are()
    {
        var labels = Nodes.Spec.Template.Metadata.Labels;
        var services = DeployFiles.Objects("services.yaml").Cast<V1Service>().ToList();
        var names = services.Single(service => service.Spec.ClusterIP == "None");
        Assert.Equal(Nodes.Spec.ServiceName, names.Metadata.Name);
        Assert.All(services, service =>
        {
            Assert.True(service.Spec.PublishNotReadyAddresses);
            IsSelected(service.Spec.Selector);
            Assert.All(service.Spec.Ports, port => Assert.Equal(port.Port, Port(port.TargetPort)));
        });
        IsSelected(Nodes.Spec.Selector.MatchLabels);
        Assert.All(Pod.TopologySpreadConstraints, spread => IsSelected(spread.LabelSelector.MatchLabels));
        var budget = DeployFiles.Objects("disruption.yaml").Cast<V1PodDisruptionBudget>().Single();
        IsSelected(budget.Spec.Selector.MatchLabels);
        Assert.Equal("AlwaysAllow", budget.Spec.UnhealthyPodEvictionPolicy);

        void IsSelected(IDictionary<string, string> selector)
        {
            Assert.NotEmpty(selector);
            Assert.All(selector, pair => Assert.Equal(pair.Value, labels[pair.Key]));
        }
    }

    [Fact]
    public void The_network_lets_nodes_reach_one_another_Redis_and_the_server_and_nobody_else_reach_the_cluster()
    {
        var policy = DeployFiles.Objects("network.yaml").Cast<V1NetworkPolicy>().Single().Spec;
        Assert.Equal(["Egress", "Ingress"], policy.PolicyTypes.Order(StringComparer.Ordinal));
        var peers = policy.Ingress.Where(rule => rule.Ports.Any(port => Port(port.Port) == Port("cluster"))).SelectMany(rule => rule.FromProperty).ToList();
        Assert.All(peers, peer => Assert.Equal(Nodes.Spec.Selector.MatchLabels, peer.PodSelector?.MatchLabels));
        Assert.NotEmpty(peers);

        var outward = policy.Egress.SelectMany(rule => rule.Ports).Select(port => Port(port.Port)).ToHashSet();
        var bridge = Assert.Single(Configuration("bridge-0").Bridges);
        Assert.Superset(new HashSet<int> { Port("cluster"), 53, 6380, bridge.Xmpp.Endpoints.Single().Port }, outward);
    }

    [Fact]
    public void The_pod_has_no_rights_and_its_probes_ask_HTTP_in_more_time_than_the_program_takes()
    {
        Assert.True(Pod.SecurityContext.RunAsNonRoot);
        Assert.Equal("RuntimeDefault", Pod.SecurityContext.SeccompProfile.Type);
        Assert.Equal((false, true), (Container.SecurityContext.AllowPrivilegeEscalation, Container.SecurityContext.ReadOnlyRootFilesystem));
        Assert.Equal(["ALL"], Container.SecurityContext.Capabilities.Drop);
        Assert.Null(Container.SecurityContext.Capabilities.Add);
        Assert.False(Pod.AutomountServiceAccountToken);
        Assert.All([Container.StartupProbe, Container.LivenessProbe, Container.ReadinessProbe], probe =>
        {
            Assert.Equal(Port("http"), Port(probe.HttpGet.Port));
            // /health/live gives the actor system 2 s.
            Assert.True(probe.TimeoutSeconds > 2);
        });
        Assert.Equal("/health/live", Container.LivenessProbe.HttpGet.Path);
        Assert.Equal("/health/ready", Container.ReadinessProbe.HttpGet.Path);
    }

    private static HostConfiguration Configuration(string pod)
    {
        var secret = Pod.Volumes.Single(volume => volume.Secret is not null);
        var folder = Container.VolumeMounts.Single(mount => mount.Name == secret.Name).MountPath;
        var environment = new Dictionary<string, string>();
        foreach (var variable in Container.Env)
            environment[variable.Name] = variable.ValueFrom switch
            {
                { FieldRef.FieldPath: "metadata.name" } => pod,
                // As the command at the head of the kustomization makes it.
                { SecretKeyRef: { Key: "redis" } reference } when reference.Name == secret.Secret.SecretName => "redis.example.com:6380,ssl=true,user=bridge,password=x",
                { SecretKeyRef: { Key: "http-token", Optional: true } reference } when reference.Name == secret.Secret.SecretName => Token,
                // $(NAME): a variable that stands before.
                null => environment.Aggregate(variable.Value, (text, known) => text.Replace($"$({known.Key})", known.Value, StringComparison.Ordinal)),
                _ => throw new InvalidOperationException($"{variable.Name} comes from somewhere else."),
            };
        Assert.DoesNotContain(environment.Values, value => value.Contains("$(", StringComparison.Ordinal));
        var file = Path.Combine(DeployFiles.Kubernetes, "bridge.conf");
        var result = ConfigurationReader.Read(
            [new ConfigurationText(file, File.ReadAllText(file))],
            environment,
            path => path == folder + "/component-secret" ? "from-the-secret" : throw new FileNotFoundException(path));
        Assert.Empty(result.Mistakes);
        return result.Configuration!;
    }

    private static int Port(string name) => Container.Ports.Single(port => port.Name == name).ContainerPort;

    private static int Port(IntOrString port) => int.TryParse(port.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : Port(port.Value);
}
