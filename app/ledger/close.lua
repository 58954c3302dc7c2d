-- Forgets what stands here, and lets nobody load it: a rebuild has begun. ARGV: for how many milliseconds at most.
call('DEL', V)
call('HSET', V, 'closed', 1)
call('PEXPIRE', V, ARGV[1])
return 1
