namespace Bridge.Fuzz.Tests.Corpora;

/// <summary>An input, and whether it must pass because it was made to.</summary>
internal readonly record struct FuzzInput(byte[] Bytes, bool MustPass);

/// <summary>
/// Inputs from grammars, and mutations of those that reached something new: an input whose outcome
/// had a trait that none before it had is kept, and mutated further. Deterministic for a seed, as
/// long as the traits are.
/// </summary>
internal sealed class InputSource
{
    private const int MaxKept = 2000;

    // Long ones cost much and reach little.
    private const int MaxKeptBytes = 3000;

    private readonly Random _random;
    private readonly Func<byte[]> _valid;
    private readonly Func<byte[]>[] _others;
    private readonly ByteMutator _mutator;
    private readonly List<byte[]> _kept = [];
    private readonly HashSet<ulong> _traits = [];

    private InputSource(Random random, ByteMutator mutator, Func<byte[]> valid, params Func<byte[]>[] others)
    {
        _random = random;
        _mutator = mutator;
        _valid = valid;
        _others = others;
    }

    /// <summary>Traits seen so far.</summary>
    public int Traits => _traits.Count;

    /// <summary>Raw stanzas.</summary>
    public static InputSource OfStanzas(int seed)
    {
        var random = new Random(seed);
        var grammar = new StanzaGrammar(random);
        return new InputSource(random, new ByteMutator(random, Dictionaries.XmlBorders, Dictionaries.Xml), grammar.Valid, grammar.Aimed, new StanzaMutator(random).Next);
    }

    /// <summary>JSON envelopes.</summary>
    public static InputSource OfEnvelopes(int seed)
    {
        var random = new Random(seed);
        var grammar = new EnvelopeGrammar(random, new StanzaGrammar(random));
        return new InputSource(random, new ByteMutator(random, Dictionaries.JsonBorders, [.. Dictionaries.Json, .. Dictionaries.Xml]), grammar.Valid, grammar.Aimed);
    }

    /// <summary>What a server sends.</summary>
    public static InputSource OfStreams(int seed)
    {
        var random = new Random(seed);
        var grammar = new StreamGrammar(random, new StanzaGrammar(random));
        return new InputSource(random, new ByteMutator(random, Dictionaries.XmlBorders, Dictionaries.Xml), grammar.Valid, grammar.Aimed);
    }

    /// <summary>The next input.</summary>
    public FuzzInput Next()
    {
        var choice = _random.Next(100);
        if (choice < 30)
            return new FuzzInput(_valid(), MustPass: true);
        if (choice < 50)
            return new FuzzInput(_random.Pick(_others)(), MustPass: false);
        var victim = _kept.Count == 0 || choice < 65 ? _valid() : Kept();
        var other = _kept.Count == 0 || _random.Chance(20) ? _random.Pick(_others)() : Kept();
        return new FuzzInput(_mutator.Mutate(victim, other), MustPass: false);
    }

    /// <summary>Tells what became of an input; keeps it if that is new.</summary>
    public void Learn(byte[] input, ulong trait)
    {
        if (!_traits.Add(trait) || input.Length > MaxKeptBytes)
            return;
        if (_kept.Count < MaxKept)
            _kept.Add(input);
        else
            _kept[_random.Next(MaxKept)] = input;
    }

    private byte[] Kept() => _kept[_random.Next(_kept.Count)];
}
