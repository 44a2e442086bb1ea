using BenchmarkDotNet.Running;
using Bridge.Benchmarks;

// dotnet run -c Release --project bench/Bridge.Benchmarks -- --filter '*Encoder*'
BenchmarkSwitcher.FromAssembly(typeof(BenchmarkConfiguration).Assembly).Run(args, new BenchmarkConfiguration());
