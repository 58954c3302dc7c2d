-- Gives up a load that failed, if it is still this loader's. ARGV: lock, its token.
if call('GET', P .. ARGV[1]) == ARGV[2] then call('DEL', P .. ARGV[1]) end
return 1
