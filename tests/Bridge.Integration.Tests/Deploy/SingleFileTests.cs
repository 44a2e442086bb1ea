using Bridge.TestKit;

namespace Bridge.Integration.Tests.Deploy;

/// <summary>The program as one file that needs no .NET, as the publish profile makes it from a copy of the sources.</summary>
public sealed class SingleFileTests
{
    // ELF header: e_machine, two bytes at offset 18.
    private const ushort Amd64 = 62;
    private const ushort Arm64 = 183;

    // A minute of both processors, beside which others could not keep their times.
    [Fact]
    [Trait("Duration", "long")]
    public async Task It_is_one_file_that_tells_its_version_and_works()
    {
        await using var process = new ServerProcess("publish");
        var program = await PublishAsync(process, "linux-x64");

        Assert.Equal(Amd64, await MachineAsync(program));
        Assert.Equal(["bridge"], Directory.GetFiles(Path.GetDirectoryName(program)!).Select(Path.GetFileName));
        await using var version = new ServerProcess("bridge");
        version.Start(program, ["--version"], new Dictionary<string, string?> { ["DOTNET_ROOT"] = "/nowhere" });
        Assert.Equal(0, await version.WaitForExitAsync(TimeSpan.FromSeconds(30)));
        Assert.Matches(@"^\d+\.\d+\.\d+", Assert.Single(version.Lines));

        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer();
        await using var check = new ServerProcess("bridge");
        check.Start(program, ["check"], BridgeProcessOptions.Between(redis, server));
        Assert.True(await check.WaitForExitAsync(TimeSpan.FromSeconds(30)) == 0, check.Output);
    }

    [Fact]
    [Trait("Duration", "long")]
    public async Task It_is_made_for_ARM_as_well()
    {
        await using var process = new ServerProcess("publish");

        Assert.Equal(Arm64, await MachineAsync(await PublishAsync(process, "linux-arm64")));
    }

    private static async Task<ushort> MachineAsync(string program)
    {
        var header = new byte[20];
        await using var file = File.OpenRead(program);
        await file.ReadExactlyAsync(header);
        Assert.Equal("\u007fELF"u8, header.AsSpan(0, 4));
        return BitConverter.ToUInt16(header, 18);
    }

    // Without the code that is compiled ahead of time, which takes minutes and changes nothing that is looked at here.
    private static async Task<string> PublishAsync(ServerProcess process, string runtime)
    {
        var sources = Path.Combine(process.Folder, "sources");
        foreach (var part in new[] { "src", "hocon", "LICENSE", "Directory.Build.props", "Directory.Packages.props", ".editorconfig", "global.json" })
            Copy(Path.Combine(BridgeProcess.RepositoryRoot, part), Path.Combine(sources, part));
        var output = Path.Combine(process.Folder, "published");
        process.Start(
            "dotnet",
            [
                "publish", Path.Combine(sources, "src", "Host"), "-p:PublishProfile=self-contained", "-r", runtime, "-p:PublishReadyToRun=false",
                "--disable-build-servers", "-v", "quiet", "-nologo", "-o", output,
            ]);
        var code = await process.WaitForExitAsync(TimeSpan.FromMinutes(4));
        Assert.True(code == 0, process.Output);
        return Path.Combine(output, "bridge");
    }

    private static void Copy(string from, string to)
    {
        if (File.Exists(from))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(from, to);
            return;
        }

        if (!Directory.Exists(from))
            return;
        foreach (var part in Directory.EnumerateFileSystemEntries(from).Where(part => Path.GetFileName(part) is not ("bin" or "obj")))
            Copy(part, Path.Combine(to, Path.GetFileName(part)));
    }
}
