// Most of a test is waiting for a server's start or answer; three classes at a time keep two cores busy.
[assembly: CollectionBehavior(MaxParallelThreads = 3)]
