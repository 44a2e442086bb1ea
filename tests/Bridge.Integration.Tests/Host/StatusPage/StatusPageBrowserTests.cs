using System.Globalization;
using System.Net;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Host.StatusPage;

/// <summary>
/// The page in a real browser. With <c>BRIDGE_TEST_PICTURES=FOLDER</c> it leaves pictures there.
/// </summary>
public sealed class StatusPageBrowserTests(StatusPageBrowserTests.Fixture fixture) : IClassFixture<StatusPageBrowserTests.Fixture>
{
    private const string Token = "a-token-that-nobody-guesses-0123456789";

    private StatusPageStage Stage => fixture.Stage;

    [Fact]
    public async Task It_loads_without_a_complaint_asks_nobody_else_and_shows_figures_that_move()
    {
        await using var page = await OpenAsync();
        await page.UntilAsync("document.querySelector('#live').innerText.includes('live')", "the page is live");
        await page.UntilAsync("document.querySelector('#bridges').innerText.includes('● connected')", "the bridge is connected");
        Assert.Contains("main", await page.AskAsync("document.querySelector('#bridges').innerText"), StringComparison.Ordinal);

        var pushed = 0;
        await page.UntilAsync("document.querySelector('#f-rate dd')", "there are figures");
        var rates = new HashSet<string>();
        await Eventually.TrueAsync(
            async () =>
            {
                await Stage.PushAsync(pushed++ % 40);
                rates.Add(await page.AskAsync("document.querySelector('#f-rate dd').innerText"));
                return rates.Count >= 4;
            },
            TimeSpan.FromSeconds(15),
            "the rate moves",
            () => string.Join(", ", rates));
        await page.UntilAsync("document.querySelector('#chart-rate path.first') && document.querySelector('#chart-time path.first')", "the charts have lines");
        Assert.All(rates.Where(rate => rate != "–"), rate => Assert.EndsWith("/s", rate, StringComparison.Ordinal));

        // Which nodes there are, and what they own.
        await page.UntilAsync("document.querySelector('#nodes').innerText.includes('● up') && document.querySelector('#nodes').innerText.includes('main')", "the node is told");

        // Who supervises whom, and what each is given.
        await page.UntilAsync("document.querySelector('#actors tr[data-key=\"bridges/main/connection\"]')", "the actors are told");
        await page.UntilAsync("Number(document.querySelector('#actors tr[data-key=\"bridges/main/connection\"] td:nth-child(4)').innerText) > 0", "the connection is given messages");
        Assert.Contains("writer", await page.AskAsync("document.querySelector('#actors').innerText"), StringComparison.Ordinal);

        await page.AskAsync("document.querySelector('#spans button').click()");
        await PictureAsync(page, "load");

        // What the chart shows at a moment, by keyboard.
        await page.AskAsync("document.querySelector('#chart-rate svg').focus()");
        await page.PressAsync("ArrowLeft");
        await page.UntilAsync("/^\\d\\d:\\d\\d:\\d\\d · /.test(document.querySelector('#chart-rate output').innerText)", "the chart tells of a moment");
        Assert.Equal("true", await page.AskAsync("String(document.querySelector('#chart-rate .cursor') !== null)"));

        Assert.Empty(page.Complaints);
        Assert.NotEmpty(page.Requests);
        Assert.All(page.Requests, request => Assert.True(request.StartsWith(Stage.Bridge.Http.ToString(), StringComparison.Ordinal) || request == "data:,", request));
    }

    [Fact]
    public async Task A_server_that_dies_shows_within_seconds_with_its_cause_and_so_does_its_return()
    {
        await using var page = await OpenAsync();
        await page.UntilAsync("document.querySelector('#bridges').innerText.includes('● connected')", "the bridge is connected");

        Stage.Link.Down();
        Stage.Link.ResetPeer();
        await page.UntilAsync(
            "!document.querySelector('#trouble').hidden && document.querySelector('#trouble').innerText.includes('main: XMPP')", "the trouble is told", TimeSpan.FromSeconds(10));
        await page.UntilAsync("document.querySelector('#bridges').innerText.includes('▲')", "the state is told by sign and word");
        await page.UntilAsync("document.querySelector('#reconnects').innerText.includes('connect-failed: the server refused')", "the cause is told");
        Assert.Contains("socket-failed", await page.AskAsync("document.querySelector('#reconnects').innerText"), StringComparison.Ordinal);
        await page.UntilAsync("document.title.startsWith('▲ 1 not ready')", "the title tells it too");
        await PictureAsync(page, "fault");
        Stage.Link.Up();

        await page.UntilAsync("document.querySelector('#trouble').hidden && document.querySelector('#bridges').innerText.includes('● connected')", "the return is told");
        Assert.Contains("connect-failed", await page.AskAsync("document.querySelector('#causes').innerText"), StringComparison.Ordinal);
        Assert.Empty(page.Complaints);
    }

    [Fact]
    public async Task A_dead_letter_shows_without_its_words_and_is_put_back_by_keyboard_when_asked_twice()
    {
        await using var page = await OpenAsync();
        await page.UntilAsync("document.querySelector('#dead-count').innerText !== ''", "the dead letters are counted");
        var letter = (await Stage.BuryAsync(1))[^1];
        await page.UntilAsync($"document.querySelector('#letters tr[data-key=\"{letter}\"]')", "the dead letter shows by itself");
        Assert.DoesNotContain(StatusPageStage.Words, await page.AskAsync("document.documentElement.outerHTML"), StringComparison.Ordinal);
        Assert.Contains("unknown-payload-kind", await page.AskAsync("document.querySelector('#letters').innerText"), StringComparison.Ordinal);
        Assert.Equal("0", await page.AskAsync("document.querySelectorAll('[aria-label^=\"Payload\"]').length"));
        Assert.Contains("bridge.page.payloads", await page.AskAsync("document.querySelector('#closed').innerText"), StringComparison.Ordinal);
        var (replay, there) = ($"document.activeElement.getAttribute('aria-label') === 'Replay {letter}'", $"document.querySelector('#letters tr[data-key=\"{letter}\"]')");

        // Asked once, and not confirmed: the safe answer has the focus, and nothing happens.
        await TabAsync(page, replay);
        await page.PressAsync("Enter");
        await page.UntilAsync("document.querySelector('#ask').open && document.activeElement.id === 'ask-no'", "it is asked, and Cancel has the focus");
        await PictureAsync(page, "asked");
        await page.PressAsync("Enter");
        await page.UntilAsync("!document.querySelector('#ask').open", "the question is gone");
        Assert.Equal("true", await page.AskAsync($"String({replay})"));
        Assert.Single(await Stage.Redis.StreamRangeAsync("{xmpp:outbound}:dead", letter, letter));

        await page.PressAsync("Enter");
        await page.UntilAsync("document.querySelector('#ask').open", "it is asked again");
        await TabAsync(page, "document.activeElement.id === 'ask-yes'");
        await page.PressAsync("Enter");
        await page.UntilAsync("document.querySelector('#said').innerText.includes('1 put back')", "it is done");
        await page.UntilAsync($"!{there}", "the dead letter is gone");
        Assert.Empty(await Stage.Redis.StreamRangeAsync("{xmpp:outbound}:dead", letter, letter));
        Assert.Empty(page.Complaints);
    }

    [Theory]
    [InlineData("127.0.0.2")] // Another site.
    [InlineData("127.0.0.1")] // For a browser the same site, as ports do not count, and another origin all the same.
    public async Task A_page_of_another_origin_reaches_it_and_changes_nothing(string host)
    {
        var letter = (await Stage.BuryAsync(1))[^1];
        using var elsewhere = new HttpListener();
        var address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://{host}:{FreePorts.Next()}/"));
        elsewhere.Prefixes.Add(address.ToString());
        elsewhere.Start();
        var serving = ServeAsync(elsewhere);
        await using var page = await fixture.Browser.OpenAsync();
        await page.GoAsync(address);

        // What the page itself would send, as far as a browser lets others send it without asking first (Fetch §4.8): as text, and by a form.
        var order = $$"""{"bridge":"main","ids":["{{letter}}"]}""";
        var sent = await page.AskAsync(
            $$"""fetch('{{Stage.Bridge.Http}}api/dead/purge', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{{order}}' }).then(answer => answer.type, () => 'kept from it')""");
        var read = await page.AskAsync($"fetch('{Stage.Bridge.Http}api/status').then(answer => answer.text(), () => 'kept from it')");
        await page.AskAsync(
            $$"""
            (() => {
              const form = document.body.appendChild(document.createElement('form')), field = form.appendChild(document.createElement('input'));
              [form.method, form.action, form.enctype, field.name, field.value] = ['post', '{{Stage.Bridge.Http}}api/dead/purge', 'text/plain', '{"bridge":"main","ids":["{{letter}}"],"x":"', '"}'];
              form.submit();
            })()
            """);
        await page.UntilAsync("document.body.innerText.includes('A page of another site asks for this.')", "the form is refused, and why is told");

        Assert.Equal(("kept from it", "kept from it"), (sent, read));
        Assert.Single(await Stage.Redis.StreamRangeAsync("{xmpp:outbound}:dead", letter, letter));
        elsewhere.Stop();
        await serving;
    }

    [Fact]
    public async Task Another_node_shows_when_it_comes_and_that_it_is_gone_when_it_is_killed()
    {
        await using var page = await OpenAsync();
        await page.UntilAsync("document.querySelectorAll('#nodes tr').length === 1", "one node is told");
        var port = FreePorts.Next().ToString(CultureInfo.InvariantCulture);
        var row = $"document.querySelector('#nodes tr[data-key=\"127.0.0.1:{port}\"]')";

        await using (var other = await Stage.StartAnotherAsync(("BRIDGE_CLUSTER_PORT", port)))
        {
            await page.UntilAsync($"{row} && {row}.innerText.includes('● up')", "the other node is told");
            await PictureAsync(page, "nodes");
            await other.KillAsync();
            // Not reached, and then thrown out.
            await page.UntilAsync($"!{row} || {row}.innerText.includes('▲ ')", "that it is not reached is told", TimeSpan.FromSeconds(30));
            await page.UntilAsync($"!{row}", "it is gone", TimeSpan.FromSeconds(40));
        }

        Assert.Empty(page.Complaints);
    }

    [Theory]
    [InlineData(1280, false)]
    [InlineData(1280, true)]
    [InlineData(360, false)]
    [InlineData(360, true)]
    public async Task It_fits_a_screen_and_a_phone_in_light_and_dark(int width, bool dark)
    {
        // One with a detail that has no place to break.
        if (await Stage.Redis.StreamLengthAsync("{xmpp:outbound}:dead") < 2)
            await Stage.BuryAsync($$"""{"to":"ada@example.test","{{new string('x', 200)}}":1}""", StatusPageStage.Words);
        await using var page = await OpenAsync(width, dark);
        await page.UntilAsync("document.querySelector('#chart-rate path.first') && document.querySelector('#letters tr') && document.querySelector('#nodes tr')", "the page is whole");

        Assert.Equal("0", await page.AskAsync("document.documentElement.scrollWidth - document.documentElement.clientWidth"));
        // Black on white or white on black, and each readable: the contrast of the ink and of the faint ink on paper, as WCAG counts it.
        const string contrast =
            """
            (() => {
              const light = colour => { const [r, g, b] = colour.match(/\d+/g).slice(0, 3).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
              const of = (node, back) => { const [a, b] = [light(getComputedStyle(node).color), light(getComputedStyle(back).backgroundColor)]; return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); };
              return [document.body, ...document.querySelectorAll('.faint, .good, .bad, dt, button')].every(node => of(node, document.querySelector('section')) >= 4.5 || node.disabled || node.getAttribute('aria-pressed') === 'true');
            })()
            """;
        Assert.Equal("true", await page.AskAsync($"String({contrast})"));
        var paper = await page.AskAsync("getComputedStyle(document.body).backgroundColor");
        Assert.Equal(dark ? "rgb(20, 23, 26)" : "rgb(246, 246, 244)", paper);
        await PictureAsync(page, $"{(width < 600 ? "phone" : "screen")}-{(dark ? "dark" : "light")}");
        Assert.Empty(page.Complaints);
    }

    [Fact]
    public async Task Who_has_the_token_signs_in_looks_at_a_payload_and_signs_out()
    {
        await using var stage = await StatusPageStage.StartAsync("bridge.page { payloads = on, changes = off }", ("BRIDGE_HTTP_TOKEN", Token));
        // What an app pushes is shown as text, also where it looks like more: in the detail, which names the field, and whole.
        const string hostile = """{"to":"ada@example.test","<img src=x onerror=alert(1)>":"<script>alert(2)</script>"}""";
        await stage.BuryAsync(hostile);
        await using var page = await fixture.Browser.OpenAsync();
        await page.GoAsync(stage.Bridge.Http);

        await page.UntilAsync("document.activeElement.id === 'token'", "the form asks for the token");
        await PictureAsync(page, "sign-in");
        await page.TypeAsync("not the token");
        await page.PressAsync("Enter");
        await page.UntilAsync("!document.querySelector('[role=alert]').hidden && document.activeElement.id === 'token'", "the form says that it is another one");
        await page.TypeAsync(Token);
        await page.PressAsync("Enter");

        await page.UntilAsync("document.querySelector('[aria-label^=\"Payload\"]')", "the dead letter can be looked into");
        Assert.Equal(stage.Bridge.Http.ToString(), await page.AskAsync("location.href"));
        Assert.DoesNotContain("bridge-session", await page.AskAsync("document.cookie"), StringComparison.Ordinal);
        Assert.Equal("0", await page.AskAsync("document.querySelectorAll('[aria-label^=\"Replay\"], [aria-label^=\"Purge\"]').length"));
        await page.AskAsync("document.querySelector('[aria-label^=\"Payload\"]').click()");
        await page.UntilAsync("document.querySelector('.payload pre')", "the payload shows");
        Assert.Equal(hostile, await page.AskAsync("document.querySelector('.payload pre').textContent"));
        Assert.Contains("unknown field '<img", await page.AskAsync("document.querySelector('#letters').textContent"), StringComparison.Ordinal);
        Assert.Equal("0", await page.AskAsync("document.querySelectorAll('#letters img, #letters script').length"));
        await PictureAsync(page, "payload");

        await page.AskAsync("document.querySelector('#out').click()");
        await page.UntilAsync("document.querySelector('#token')", "the form is there again");
    }

    /// <summary>Until it is stopped: a page that says nothing.</summary>
    private static async Task ServeAsync(HttpListener server)
    {
        try
        {
            while (true)
            {
                var context = await server.GetContextAsync();
                context.Response.ContentType = "text/html";
                context.Response.Close("<title>elsewhere</title>"u8.ToArray(), willBlock: false);
            }
        }
        catch (Exception stopped) when (stopped is HttpListenerException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    private async Task<BrowserPage> OpenAsync(int width = 1280, bool dark = false)
    {
        var page = await fixture.Browser.OpenAsync();
        await page.ResizeAsync(width, 900);
        await page.PreferAsync(dark);
        await page.GoAsync(Stage.Bridge.Http);
        return page;
    }

    /// <summary>Tab until there.</summary>
    private static async Task TabAsync(BrowserPage page, string there)
    {
        for (var presses = 0; presses < 60; presses++)
        {
            if (await page.AskAsync($"String({there})") == "true")
                return;
            await page.PressAsync("Tab");
        }

        Assert.Fail($"Tab does not lead to it: {there}");
    }

    private static async Task PictureAsync(BrowserPage page, string name)
    {
        if (Environment.GetEnvironmentVariable("BRIDGE_TEST_PICTURES") is { Length: > 0 } folder)
            await page.PictureAsync(Path.Combine(Directory.CreateDirectory(folder).FullName, name + ".png"));
    }

    /// <summary>One program and one browser for all of these tests, which xUnit runs one after the other.</summary>
    public sealed class Fixture : IAsyncLifetime
    {
        internal StatusPageStage Stage { get; private set; } = null!;

        internal Chromium Browser { get; private set; } = null!;

        async Task IAsyncLifetime.InitializeAsync() => (Stage, Browser) = (await StartAsync(), await Chromium.StartAsync());

        // A cluster of one node, so that the page has nodes to show.
        private static Task<StatusPageStage> StartAsync()
        {
            var port = FreePorts.Next().ToString(CultureInfo.InvariantCulture);
            return StatusPageStage.StartAsync("", ("BRIDGE_CLUSTER_SEEDS", "127.0.0.1:" + port), ("BRIDGE_CLUSTER_PORT", port));
        }

        async Task IAsyncLifetime.DisposeAsync()
        {
            await Browser.DisposeAsync();
            await Stage.DisposeAsync();
        }
    }
}
