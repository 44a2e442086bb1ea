using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;
using Bridge.Chaos;
using Bridge.Chaos.Faults;
using Bridge.Chaos.Judgement;
using Bridge.Chaos.Reports;
using Bridge.Chaos.Running;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Chaos;

public sealed partial class ReportTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_page_is_well_formed_and_asks_nobody_for_anything(bool isBroken)
    {
        var page = HtmlReport.Of(Result(isBroken));

        var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore, XmlResolver = null };
        using var reader = XmlReader.Create(new StringReader(page), settings);
        var document = XDocument.Load(reader);
        Assert.Equal("html", document.Root?.Name.LocalName);
        Assert.DoesNotMatch(OutsideReference(), page);
        Assert.Contains("prefers-color-scheme: dark", page, StringComparison.Ordinal);
        Assert.Equal(2, document.Descendants("rect").Count());
        Assert.Equal(3, document.Descendants("polyline").Count());
        Assert.Equal(isBroken, page.Contains("order is kept", StringComparison.Ordinal));
    }

    [Fact]
    public void The_text_tells_the_counts_the_recoveries_and_how_to_see_a_broken_promise_again()
    {
        var good = TextReport.Of(Result(isBroken: false));
        var bad = TextReport.Of(Result(isBroken: true));

        Assert.Contains("Every promise held.", good, StringComparison.Ordinal);
        Assert.Contains("lost 0, reordered 0", good, StringComparison.Ordinal);
        Assert.Matches(@"reset of the link to Redis +1 +3 +1\.0 +1\.0 +2\.0 +2\.0", good);
        Assert.Contains("BROKEN PROMISE after 9.0 s: order is kept", bad, StringComparison.Ordinal);
        Assert.Contains("./chaos --server scripted --seed 42 --minutes 0.5", bad, StringComparison.Ordinal);
        Assert.Contains("the last of the history", bad, StringComparison.Ordinal);
    }

    [Fact]
    public void The_timeline_of_a_long_run_stays_a_few_thousand_points()
    {
        var timeline = new Timeline();
        for (var second = 1; second <= 20_000; second++)
            timeline.Add(TimeSpan.FromSeconds(second), new Tally(second, second, 0, 0, 0, 0, 0, 0), new LaneDepth(1, 1));

        Assert.InRange(timeline.Samples.Count, 1_000, 4_000);
        Assert.All(timeline.Samples, sample => Assert.Equal(1, sample.Arrived));
    }

    private static RunResult Result(bool isBroken)
    {
        var round = new Round(1, [new Break(FaultTarget.RedisLink, ProxyEnding.Reset, 0, TimeSpan.FromSeconds(1))], null);
        return new RunResult
        {
            CommandLine = new CommandLine(TimeSpan.FromMinutes(0.5), 42, ServerKind.Scripted, "."),
            PerSecond = 500,
            Lanes = ["list"],
            Ending = "The time is over.",
            Broken = isBroken ? new BrokenPromise("order is kept", TimeSpan.FromSeconds(9), "l3-3 <behind> l4-4 & \e[1mmore\u0001") : null,
            Length = TimeSpan.FromSeconds(30),
            Counts = new Tally(15_000, 14_900, 3, 0, 0, 100, 0, 0),
            Episodes =
            [
                new Episode
                {
                    Number = 1,
                    Names = [round.Faults[0].Name],
                    Description = round + " <&>",
                    Repeats = Repeats.Unconfirmed,
                    KillsServer = false,
                    StruckAt = TimeSpan.FromSeconds(5),
                    Bounds = new Dictionary<string, long>(),
                    ConnectionsBefore = 1,
                    HealedAt = TimeSpan.FromSeconds(6),
                    ResumedAt = TimeSpan.FromSeconds(7),
                    RecoveredAt = TimeSpan.FromSeconds(8),
                    Repeated = 3,
                },
            ],
            History = ["the last of the history"],
            Samples = [new Sample(TimeSpan.FromSeconds(1), 480, 500, 12), new Sample(TimeSpan.FromSeconds(2), 520, 500, 0)],
            Outputs = isBroken ? ["Bridge 1:\nsaid \"something\""] : [],
        };
    }

    // Anything that a browser would fetch, and any address at all.
    [GeneratedRegex("""(?i)https?:|//\w|src=|href=|@import|url\(|<script|<link""")]
    private static partial Regex OutsideReference();
}
