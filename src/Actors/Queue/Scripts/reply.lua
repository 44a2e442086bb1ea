-- Puts a reply where somebody may wait for it, for a while.
-- KEYS: the list. ARGV: 1 the reply, 2 milliseconds.
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
