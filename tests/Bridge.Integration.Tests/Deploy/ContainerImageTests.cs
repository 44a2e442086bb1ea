using System.Globalization;
using System.Text.Json;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Deploy;

/// <summary>What <c>dotnet publish -t:PublishContainer</c> is told. Making an image needs a registry with the base image.</summary>
public sealed class ContainerImageTests
{
    [Fact]
    public async Task The_image_has_the_user_and_the_ports_of_the_pods()
    {
        await using var process = new ServerProcess("msbuild");
        process.Start(
            "dotnet",
            [
                "msbuild", Path.Combine(BridgeProcess.RepositoryRoot, "src", "Host", "Bridge.Host.csproj"), "-p:Configuration=Release", "-nodeReuse:false",
                "-getProperty:ContainerRepository,ContainerUser,ContainerFamily,ContainerImageTag,Version", "-getItem:ContainerPort,ContainerDefaultArgs",
            ]);
        var code = await process.WaitForExitAsync(TimeSpan.FromSeconds(60));
        Assert.True(code == 0, process.Output);
        using var evaluated = JsonDocument.Parse(string.Join('\n', process.Lines));

        var properties = evaluated.RootElement.GetProperty("Properties");
        string Property(string name) => properties.GetProperty(name).GetString()!;
        var pod = DeployFiles.StatefulSet.Spec.Template.Spec;
        var container = pod.Containers.Single();
        Assert.Equal(container.Image, Property("ContainerRepository"));
        Assert.Equal(Property("Version"), Property("ContainerImageTag"));
        Assert.Equal(pod.SecurityContext.RunAsUser?.ToString(CultureInfo.InvariantCulture), Property("ContainerUser"));
        Assert.Equal(
            container.Ports.Select(port => port.ContainerPort.ToString(CultureInfo.InvariantCulture)),
            evaluated.RootElement.GetProperty("Items").GetProperty("ContainerPort").EnumerateArray().Select(port => port.GetProperty("Identity").GetString()!));
    }
}
