#!/usr/bin/env ruby
# Reads what people write to the component, prints it, and answers each message.
require "json"
require "redis" # Debian: ruby-redis; gem: redis

QUEUE = ENV.fetch("QUEUE", "xmpp:outbound")
INBOUND = "{#{QUEUE}}:inbound".freeze
GROUP = "app".freeze
# Each worker has a name of its own, the same after a restart: what it had read is given to it again.
WORKER = ENV.fetch("WORKER", "worker-1")

$stdout.sync = true
redis = Redis.new(url: ENV.fetch("REDIS_URL", "redis://127.0.0.1:6379"))

# Answers a message. The answer, the note that it was given, and XACK happen together or not at all.
handle = lambda do |entry, stanza|
  seen = "seen:#{stanza.fetch("stamp", entry)}"
  # A fault may bring a stanza twice, in two entries with one stamp: the second time it is only acknowledged.
  to_answer = stanza["kind"] == "message" && stanza["type"] != "error" && stanza["body"] && !redis.exists?(seen)
  puts "#{stanza["from"]}: #{stanza["body"]}" if to_answer
  redis.multi do |step|
    if to_answer
      # The address that was written to answers.
      step.rpush(QUEUE, JSON.generate(to: stanza["from"], from: stanza["to"], body: "You said: #{stanza["body"]}"))
    end
    step.set(seen, 1, ex: 86_400)
    step.xack(INBOUND, GROUP, entry)
  end
end

# Reads some entries; "0": those that this worker has read and not acknowledged, ">": new ones.
read = lambda do |position|
  entries = redis.xreadgroup(GROUP, WORKER, INBOUND, position, count: 10, block: 2000).fetch(INBOUND, [])
  entries.each { |entry, stanza| handle.call(entry, stanza || {}) } # nothing: the stream was trimmed meanwhile
  entries.any?
end

begin
  begin
    redis.xgroup(:create, INBOUND, GROUP, "0", mkstream: true)
  rescue Redis::CommandError => e
    raise unless e.message.start_with?("BUSYGROUP") # it is there already
  end
  puts "reading #{INBOUND}"
  nil while read.call("0")
  loop { read.call(">") }
rescue Redis::BaseError => e
  puts "Redis: #{e.message}; again in a second"
  sleep 1
  retry
rescue Interrupt, SignalException
  exit
end
