#!/usr/bin/env ruby
# POST /messages {"to": "ada@example.com", "body": "hi"} sends a message, and answers with how it ended.
require "json"
require "securerandom"
require "redis" # Debian: ruby-redis; gem: redis
require "webrick" # Debian: ruby-webrick; gem: webrick

REDIS_URL = ENV.fetch("REDIS_URL", "redis://127.0.0.1:6379")
QUEUE = ENV.fetch("QUEUE", "xmpp:outbound")
TTL = 8 # seconds after which Bridge no longer begins to send: whoever asked has gone
WAIT = 12 # seconds that a request waits: the ttl, and the hold of grade "held"

STATUS = {
  "accepted" => 200, # the XMPP server has it
  "held" => 200,     # and lived on for a while
  "bounced" => 502,  # the server, or one behind it, sent it back
  "dead" => 400,     # it cannot be sent as it is; "reason" says why
  "expired" => 504   # its ttl was over first
}.freeze

def send_message(to, body)
  # A connection for each request: one that waits in BLPOP serves nobody else.
  redis = Redis.new(url: REDIS_URL)
  reply = "bridge:reply:#{SecureRandom.hex(16)}" # nobody else can guess it
  redis.rpush(QUEUE, JSON.generate(to: to, body: body, ttl: TTL, replyTo: reply))
  _, answer = redis.blpop(reply, timeout: WAIT)
  return 504, { ending: "unknown" } if answer.nil? # still queued, or under way: it may arrive yet

  outcome = JSON.parse(answer)
  [STATUS.fetch(outcome["ending"], 500), outcome]
rescue Redis::BaseError
  [503, { error: "Redis is away" }]
ensure
  redis&.close
end

def answer(request)
  return [405, { error: "POST /messages" }] unless request.request_method == "POST"
  return [413, { error: "at most 64 KiB" }] if request["Content-Length"].to_i > 65_536

  message = JSON.parse(request.body.to_s.force_encoding("UTF-8"))
  to, body = message.values_at("to", "body") if message.is_a?(Hash)
  return send_message(to, body) if to.is_a?(String) && body.is_a?(String)

  [400, { error: 'a JSON object with the texts "to" and "body"' }]
rescue JSON::ParserError
  [400, { error: "a JSON object" }]
end

$stdout.sync = true
port = Integer(ENV.fetch("PORT", "8000"))
server = WEBrick::HTTPServer.new(
  BindAddress: "127.0.0.1", Port: port, AccessLog: [], Logger: WEBrick::Log.new($stderr, WEBrick::Log::WARN),
  StartCallback: -> { puts "listening on http://127.0.0.1:#{port}" }
)
server.mount_proc("/messages") do |request, response|
  status, body = answer(request)
  response.status = status
  response["Content-Type"] = "application/json"
  response.body = JSON.generate(body)
end
%w[INT TERM].each { |signal| trap(signal) { server.shutdown } }
server.start
