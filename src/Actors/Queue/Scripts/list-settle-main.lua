local refused = fenced() or open_journal() or settle()
if refused then
  return refused
end
trim_dead(ARGV[7], ARGV[8])
return { removed, dead, dead_trimmed, -1, 1, 0, {}, {}, {} }
