// Most of a fault test is waiting: for a lease to run out, a frozen peer, a server's start. Three classes at a time
// keep two cores busy without starving those that measure a deadline.
[assembly: CollectionBehavior(MaxParallelThreads = 3)]
