using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Bridge.Fuzz.Tests.Judging;

namespace Bridge.Fuzz.Tests;

/// <summary>
/// Gives a target many inputs, on all processors, and collects what goes wrong. The inputs come in
/// blocks; each has a seed of its own, by which it alone can be repeated.
/// </summary>
/// <param name="target">Makes the target; each thread has its own.</param>
internal sealed class FuzzRun(Func<FuzzTarget> target)
{
    /// <summary>Inputs of one seed: enough for what is kept to be mutated many times.</summary>
    public const int CasesPerBlock = 25_000;

    private const int CasesPerBatch = 500;
    private const int EnoughFailures = 5;

    private readonly ConcurrentQueue<string> _failures = new();
    private readonly ConcurrentDictionary<string, long> _verdicts = new();
    private long _cases;
    private long _passed;
    private long _mustPass;
    private long _judged;
    private long _traits;
    private int _nextBlock = -1;

    /// <summary>Inputs examined.</summary>
    public long Cases => _cases;

    /// <summary>Inputs that passed.</summary>
    public long Passed => _passed;

    /// <summary>Inputs that were made to pass, and did.</summary>
    public long MadeToPass => _mustPass;

    /// <summary>Inputs or outputs that expat read.</summary>
    public long Judged => _judged;

    /// <summary>How often each verdict was given.</summary>
    public IReadOnlyDictionary<string, long> Verdicts => _verdicts;

    /// <summary>What went wrong, each with what is needed to repeat it.</summary>
    public IReadOnlyCollection<string> Failures => _failures;

    /// <summary>Runs.</summary>
    /// <param name="seed">The first block's; the others' follow it.</param>
    /// <param name="cases">How many inputs.</param>
    /// <returns>The figures, for the log.</returns>
    public async Task<string> ExecuteAsync(int seed, long cases)
    {
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, Environment.ProcessorCount)
            .Select(_ => Task.Factory.StartNew(() => RunBlocks(seed, cases), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        var figures = new StringBuilder()
            .AppendLine(CultureInfo.InvariantCulture, $"BRIDGE_TEST_SEED={seed} BRIDGE_FUZZ_CASES={cases}")
            .AppendLine(CultureInfo.InvariantCulture, $"{_cases:N0} cases in {clock.Elapsed.TotalSeconds:N1} s, {_cases / clock.Elapsed.TotalSeconds:N0}/s; {_passed:N0} passed; {_judged:N0} judged by expat; {_traits:N0} traits");
        foreach (var (verdict, count) in _verdicts.OrderByDescending(pair => pair.Value))
            figures.AppendLine(CultureInfo.InvariantCulture, $"{count,10} {verdict}");
        return figures.ToString();
    }

    private void RunBlocks(int seed, long cases)
    {
        using var judge = new ExpatJudge();
        var mine = target();
        while (_failures.Count < EnoughFailures)
        {
            var block = Interlocked.Increment(ref _nextBlock);
            var count = Math.Min(CasesPerBlock, cases - ((long)block * CasesPerBlock));
            if (count <= 0)
                break;
            RunBlock(mine, judge, unchecked(seed + block), (int)count);
        }

        if (judge.EndLongStream() is { } fault)
            _failures.Enqueue(fault);
    }

    private void RunBlock(FuzzTarget mine, ExpatJudge judge, int seed, int count)
    {
        var inputs = mine.Inputs(seed);
        var batch = new List<JudgedCase>(CasesPerBatch);
        var numbers = new List<int>(CasesPerBatch);
        var verdicts = new Dictionary<string, long>();
        var (passed, mustPass, judged) = (0, 0, 0);
        for (var number = 0; number < count && _failures.Count < EnoughFailures; number++)
        {
            var input = inputs.Next();
            var outcome = mine.Examine(input.Bytes);
            inputs.Learn(input.Bytes, outcome.Trait);
            foreach (var verdict in outcome.Verdicts)
                verdicts[verdict] = verdicts.GetValueOrDefault(verdict) + 1;
            if (outcome.Fault is { } fault)
                Report(seed, number, fault, input.Bytes, smaller => mine.Examine(smaller).Fault);
            else if (input.MustPass && !outcome.Passed)
                Report(seed, number, $"made to pass, but {string.Join(", ", outcome.Verdicts)}", input.Bytes, null);
            passed += outcome.Passed ? 1 : 0;
            mustPass += input.MustPass && outcome.Passed ? 1 : 0;
            if (outcome.Judged is { } judgedCase)
            {
                batch.Add(judgedCase);
                numbers.Add(number);
                judged++;
            }

            if (batch.Count == CasesPerBatch || (number == count - 1 && batch.Count > 0))
            {
                Judge(mine, judge, seed, batch, numbers);
                batch.Clear();
                numbers.Clear();
            }
        }

        Interlocked.Add(ref _cases, count);
        Interlocked.Add(ref _passed, passed);
        Interlocked.Add(ref _mustPass, mustPass);
        Interlocked.Add(ref _judged, judged);
        Interlocked.Add(ref _traits, inputs.Traits);
        foreach (var (verdict, times) in verdicts)
            _verdicts.AddOrUpdate(verdict, times, (_, before) => before + times);
    }

    private void Judge(FuzzTarget mine, ExpatJudge judge, int seed, List<JudgedCase> batch, List<int> numbers)
    {
        foreach (var (index, fault) in judge.Ask(batch))
        {
            Report(seed, numbers[index], $"expat: {fault}", batch[index].Payload, smaller =>
                mine.Examine(smaller).Judged is { } smallerCase && judge.Ask([smallerCase]) is [var (_, words), ..] ? words : null);
        }
    }

    private void Report(int seed, int number, string fault, byte[] input, Func<byte[], string?>? faultOf)
    {
        var text = new StringBuilder()
            .AppendLine(CultureInfo.InvariantCulture, $"BRIDGE_TEST_SEED={seed} case {number}: {fault}")
            .AppendLine(CultureInfo.InvariantCulture, $"  input: {Escaped.Of(input)}");
        if (faultOf is not null)
        {
            var smallest = DeltaDebugging.Shrink(input, smaller => faultOf(smaller) is not null);
            text.AppendLine(CultureInfo.InvariantCulture, $"  smallest: {Escaped.Of(smallest)}")
                .AppendLine(CultureInfo.InvariantCulture, $"  which: {faultOf(smallest)}");
        }

        _failures.Enqueue(text.ToString());
    }
}
