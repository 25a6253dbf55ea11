#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Processes, threads and libraries that come and go while they are profiled, and targets that do so to do harm.
# Exit 0: all held, 1: not, 77: this machine cannot run it. PODFLAME_AGENT names another binary.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
agent=$(readlink -f "${PODFLAME_AGENT:-build/bin/podflame-agent}") || exit 1

[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root" && exit 77; }
[ -r /sys/kernel/btf/vmlinux ] || { echo "skipped: this kernel shows no BTF" && exit 77; }
[ "$(uname -m)" = x86_64 ] || { echo "skipped: stacks are whole on x86-64 alone" && exit 77; }
[ -x "$agent" ] || { echo "no agent at '$agent'" && exit 1; }

work=$(mktemp -d)
started=()

# What else the machine does must not decide when the agent gets to read what is new.
first=() second=()
nice -n -18 true 2>/dev/null && first=(nice -n -18) second=(nice -n -12)

stop_all() {
    local pid
    for pid in "${started[@]}"; do
        kill -KILL "$pid" && wait "$pid"
    done 2>/dev/null
    started=()
}
clean_up() {
    stop_all
    [ -z "${silent-}" ] || kill -KILL "$silent" "$profiling_silent" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT

cd "$work" || exit 1
flags=(-D_GNU_SOURCE -O2 -fomit-frame-pointer -fno-optimize-sibling-calls)
compile() { "${CC:-gcc}" "${flags[@]}" "$@" "$here/come_and_go.c" -lpthread; }
compile -o come_and_go && compile -shared -fPIC -DLIBRARY -o library.so && cp come_and_go job && cp library.so other.so || exit 1

failures=0
ok() { printf 'ok      %s\n' "$1"; }
fail() {
    printf 'FAIL    %s: %s\n' "$1" "$2"
    failures=$((failures + 1))
}

start() {
    "${second[@]}" "$@" &
    pid=$!
    started+=("$pid")
    sleep 0.2
}

# profile SECONDS [ARGUMENT...] : of $pid; stacks in folded, what it said in said.
profile() {
    local seconds=$1
    shift
    "${first[@]}" "$agent" --pid "$pid" --duration "${seconds}s" --frequency 499 --verbose --format folded --output folded "$@" 2>said
}

# tell_during SECONDS : a profile, with SIGUSR1 to the target half a second after it began.
tell_during() {
    profile "$1" &
    local profiling=$!
    for _ in $(seq 300); do
        grep -q 'msg="sampling"' said 2>/dev/null && break
        sleep 0.1
    done
    sleep 0.5
    kill -USR1 "$pid"
    wait "$profiling"
}

# count PATTERN : samples whose stack has it.
count() { awk -v pattern="$1" '{ n = $NF; sub(/ [0-9]+$/, ";"); if ($0 ~ pattern) sum += n } END { print sum + 0 }' folded; }

# mostly NAME PART WHOLE [PERCENT] : samples with PART are so many of those with WHOLE, 97 % unless told.
mostly() {
    local part whole percent=${4:-97}
    part=$(count "$2") whole=$(count "$3")
    if [ "$whole" -ge 20 ] && [ $((100 * part)) -ge $((percent * whole)) ]; then
        ok "$1 ($part of $whole)"
    else
        fail "$1" "$part of $whole samples; $(head -n 4 said | tr '\n' ' ')"
    fi
}
says() { # NAME PATTERN FILE
    if grep -qE "$2" "$3"; then ok "$1"; else fail "$1" "no '$2' in: $(head -c 400 "$3")"; fi
}
at_most() { # NAME FIELD NUMBER : of the log's last line
    local got
    got=$(grep -oE "$2=[0-9]+" said | cut -d= -f2)
    if [ -n "$got" ] && [ "$got" -le "$3" ]; then ok "$1 ($got)"; else fail "$1" "$2 is '$got', not $3 or less"; fi
}

chain='main;work;chain_outer;chain_inner;leaf;'

# Memory that does not answer: the agent ends all the same, half a minute late, so it is looked at in the end.
"${CC:-gcc}" "${flags[@]}" -o silent "$here/silent.c" || exit 1
./silent &
silent=$!
sleep 0.2
"$agent" --pid "$silent" --duration 1s --stream >silent.stream 2>silent.said &
profiling_silent=$!

start ./come_and_go exec ./job
profile 3
mostly "children by fork and exec" "^job [^;]*;.*$chain" '^job [^;]*;.*;leaf;'
children=$(cut -d';' -f1 folded | grep '^job ' | sort -u | wc -l)
if [ "$children" -ge 10 ]; then ok "each by its own pid"; else fail "each by its own pid" "$children of about 15"; fi
says "when the first sample was taken, and when the page was there" 'start_to_first_sample_ms=[0-9]+ .*stop_to_page_ms=[0-9]+' said
stop_all

start ./come_and_go spawn ./job
profile 2
mostly "children by vfork and exec" "^job [^;]*;.*$chain" '^job [^;]*;.*;leaf;'
stop_all

if compile -static -o never_seen 2>/dev/null; then
    start ./come_and_go exec ./never_seen
    profile 2
    mostly "a static program that is new to the agent" "^never_seen [^;]*;.*$chain" '^never_seen [^;]*;.*;leaf;'
    stop_all
fi

rm -f said
start ./come_and_go become ./job
tell_during 2
mostly "another program in the same process: before" "^come_and_go [(]${pid}[)];.*$chain" '^come_and_go .*;leaf;'
mostly "and after" "^job [(]${pid}[)];.*$chain" '^job .*;leaf;'
says "it is one process" 'samples of 1 process in' said
stop_all

rm -f said
start ./come_and_go load ./library.so
tell_during 2
mostly "a library that is loaded later" 'main;load;library_outer;library_leaf;' 'library_leaf;'
mv other.so library.so
profile 1
mostly "and replaced then" 'main;load;library_outer;library_leaf;' ';main;'
stop_all

# The agent does not run while both come: it learns of them after the samples.
tell_before_it_looks() {
    rm -f said
    profile 3 --frequency 49 &
    local profiling=$! agent_pid
    for _ in $(seq 300); do
        grep -q 'msg="sampling"' said 2>/dev/null && break
        sleep 0.1
    done
    agent_pid=$(pgrep -P "$profiling" || echo "$profiling")
    kill -STOP "$agent_pid"
    kill -USR1 "$pid"
    sleep 0.4
    kill -CONT "$agent_pid"
    wait "$profiling"
}
start ./come_and_go become ./job
tell_before_it_looks
mostly "another program, before the agent gets to look at it" "^job .*$chain" '^job .*;leaf;' 100
stop_all

start ./come_and_go load ./library.so
tell_before_it_looks
mostly "a library, the same" 'main;load;library_outer;library_leaf;' 'library_leaf;' 100
stop_all

start ./come_and_go threads 64 worker-
profile 2
threads=$(cut -d';' -f2 folded | sort -u | grep -c -x 'worker-[0-6][0-9]')
if [ "$threads" -eq 64 ]; then ok "64 threads by name"; else fail "64 threads by name" "$threads names"; fi
mostly "each with its stack" '^[^;]*;worker-[0-9]*;.*;thread;work;chain_outer;chain_inner;leaf;' ';leaf;'
stop_all

start ./come_and_go swarm
profile 1
mostly "threads of one name that live shortly are one frame" '^come_and_go [^;]*;swarm;' ';leaf;'
stop_all

start ./come_and_go names
profile 1
mostly "names that mean harm: in folded stacks" '^</script>' '.'
if LC_ALL=C grep -q '[[:cntrl:]]' folded; then fail "without control characters" "$(head -n 2 folded | cat -v)"; else ok "without control characters"; fi
profile 1 --format html --output page.html
if [ "$(grep -o '</script>' page.html | wc -l)" -eq 2 ]; then ok "and on the page"; else fail "and on the page" "a name ends a script"; fi
stop_all

# What harm there is, is to the profile of the one who does it.
start ./come_and_go mappings 60000
sleep 0.5
profile 2
says "60,000 mappings: a note" 'memory maps? read in part' said
at_most "in little memory (KiB)" peak_memory_kib 49152
at_most "and CPU time (ms)" cpu_ms 700
stop_all

start ./come_and_go again
profile 2
says "exec again and again is one process" 'samples of 1 process in' said
at_most "in little CPU time (ms)" cpu_ms 500
stop_all

start ./come_and_go maze
profile 2
says "no two stacks are alike: a note, when that is too much" 'samples truncated: too many different stacks| 0 truncated' said
at_most "in little memory (KiB)" peak_memory_kib 49152
stop_all

start ./come_and_go jobs
profile 2
at_most "a storm of programs: memory (KiB)" peak_memory_kib 49152
at_most "a storm of programs: CPU time (ms)" cpu_ms 600
stop_all

start ./come_and_go storm
start ./come_and_go jobs
start ./come_and_go work 100000
profile 2
mostly "beside a storm of others' processes" "$chain" ';leaf;'
at_most "which cost no CPU time (ms)" cpu_ms 400
stop_all

if kill -0 "$silent" 2>/dev/null; then
    wait "$profiling_silent"
    kill -KILL "$silent"
    says "memory that does not answer: a failure that says so" '"AgentFailed".*does not answer' silent.stream
else
    kill -KILL "$profiling_silent" 2>/dev/null
    echo "skipped memory that does not answer: no userfaultfd here"
fi

[ $failures -eq 0 ] || exit 1
echo "all held"
