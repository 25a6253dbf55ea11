#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs podflame-agent on programs whose names are not in the program, or not those of their symbols: stripped with a debug
# link, stripped but for .gnu_debugdata, C++ and Rust with inlined functions, and names made to do harm.
# Exit 0: all held, 1: not, 77: this machine cannot run it. PODFLAME_AGENT names another binary.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
agent=$(readlink -f "${PODFLAME_AGENT:-build/bin/podflame-agent}") || exit 1

[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root" && exit 77; }
[ -r /sys/kernel/btf/vmlinux ] || { echo "skipped: this kernel shows no BTF" && exit 77; }
[ -x "$agent" ] || { echo "no agent at '$agent'" && exit 1; }

work=$(mktemp -d)
pid=
clean_up() {
    [ -z "$pid" ] || { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT

failures=0
skips=0
ok() { printf 'ok      %s\n' "$1"; }
fail() {
    printf 'FAIL    %s: %s\n' "$1" "$2"
    failures=$((failures + 1))
}
skip() {
    printf 'skipped %s: %s\n' "$1" "$2"
    skips=$((skips + 1))
}

# profile PROGRAM [ARGUMENT...] : runs it and profiles it; folded stacks in $work/folded, what was said in $work/said.
profile() {
    local program=$1
    shift
    "$program" &
    pid=$!
    sleep 0.2
    "$agent" --pid "$pid" --duration 2s --frequency 499 --format folded --output "$work/folded" "$@" 2>"$work/said"
    kill -KILL "$pid" && wait "$pid" 2>/dev/null
    pid=
}

has() { # NAME PATTERN
    if grep -qE "$2" "$work/folded"; then ok "$1"; else fail "$1" "no '$2' in: $(cut -c1-300 "$work/folded" | head -n 5) $(cat "$work/said")"; fi
}
has_not() { # NAME PATTERN
    if grep -qE "$2" "$work/folded"; then fail "$1" "'$2' in: $(grep -E "$2" "$work/folded" | cut -c1-300 | head -n 3)"; else ok "$1"; fi
}

c=${CC:-gcc}
chain=';main;serve;(sixty|thirty|ten)[; ]'
"$c" -O2 -g -fno-optimize-sibling-calls -o "$work/whole" "$here/known_shares.c" || exit 1

strip -o "$work/bare" "$work/whole"
profile "$work/bare"
has "stripped, without anything" ';\[bare\+0x[0-9a-f]+\]'

mkdir "$work/linked"
objcopy --only-keep-debug "$work/whole" "$work/linked/app.debug"
strip -o "$work/linked/app" "$work/whole"
objcopy --add-gnu-debuglink="$work/linked/app.debug" "$work/linked/app"
profile "$work/linked/app"
has "stripped, with a debug link" "$chain"
has_not "and nothing without a name" '\[app\+0x'

# Without a build-id the CRC alone tells whose file it is.
"$c" -O2 -g -fno-optimize-sibling-calls -Wl,--build-id=none -o "$work/linked/plain" "$here/known_shares.c"
objcopy --only-keep-debug "$work/linked/plain" "$work/linked/plain.debug"
strip "$work/linked/plain"
objcopy --add-gnu-debuglink="$work/linked/plain.debug" "$work/linked/plain"
profile "$work/linked/plain"
has "a debug link by its CRC" "$chain"
printf x >>"$work/linked/plain.debug"
profile "$work/linked/plain"
has "a debug file of another CRC is not used" ';\[plain\+0x'

if command -v xz >/dev/null; then
    nm -D --format=posix --defined-only "$work/whole" | cut -d' ' -f1 | sort >"$work/dynamic"
    nm --format=posix --defined-only "$work/whole" | awk '$2 ~ /^[Tt]$/ { print $1 }' | sort | comm -13 "$work/dynamic" - >"$work/kept"
    objcopy -S --remove-section .gdb_index --remove-section .comment --keep-symbols="$work/kept" --only-keep-debug "$work/whole" "$work/mini" 2>/dev/null
    objcopy -S --keep-symbols="$work/kept" "$work/mini" 2>/dev/null
    xz --force "$work/mini"
    strip -o "$work/minidebug" "$work/whole"
    objcopy --add-section .gnu_debugdata="$work/mini.xz" "$work/minidebug"
    profile "$work/minidebug"
    has "stripped but for .gnu_debugdata" "$chain"
    strip -o "$work/spoilt" "$work/whole"
    objcopy --add-section .gnu_debugdata=/bin/true "$work/spoilt"
    profile "$work/spoilt"
    has "a .gnu_debugdata that is none" ';\[spoilt\+0x'
else
    skip ".gnu_debugdata" "no xz here"
fi

inlined='main;shop::checkout;shop::[(]anonymous namespace[)]::discount<double, [^;]*;shop::Cart<double>::total '
ranked=';main;shop::rank;std::sort<[^;]*;std::__sort<[^;]*;.*std::__introsort_loop<'
for cxx in g++ clang++; do
    if "$cxx" -O2 -g -o "$work/inlined" "$here/../symbols/tests/inlined.cc" 2>/dev/null; then
        profile "$work/inlined"
        has "C++ by $cxx, inlined in its own code" "$inlined"
        has "C++ by $cxx, inlined in the library's" "$ranked"
        has_not "C++ by $cxx: nothing is left mangled" ';_Z'
        objcopy --only-keep-debug "$work/inlined" "$work/inlined.debug"
        strip -o "$work/far" "$work/inlined"
        objcopy --add-gnu-debuglink="$work/inlined.debug" "$work/far"
        profile "$work/far"
        has "C++ by $cxx, the same from a debug file" "$inlined"
    else
        skip "C++ by $cxx" "not here"
    fi
done

if command -v dwz >/dev/null && g++ -O2 -g -gdwarf-4 -o "$work/inlined" "$here/../symbols/tests/inlined.cc" 2>/dev/null; then
    cp "$work/inlined" "$work/another"
    dwz -m "$work/shared.debug" -r "$work/inlined" "$work/another"
    profile "$work/inlined"
    has "C++ whose DWARF is shared by dwz" "$inlined"
    rm "$work/shared.debug"
    profile "$work/inlined"
    has "and without the shared part" ';main;shop::checkout;'
else
    skip "DWARF shared by dwz" "no dwz here"
fi

if command -v rustc >/dev/null; then
    for scheme in legacy v0; do
        rustc -C opt-level=3 -g -C symbol-mangling-version=$scheme -o "$work/rusty" "$here/../symbols/tests/inlined.rs" 2>"$work/said" ||
            rustc -C opt-level=3 -g -o "$work/rusty" "$here/../symbols/tests/inlined.rs" || exit 1
        profile "$work/rusty"
        has "Rust ($scheme), inlined" 'inlined::main;inlined::shop::checkout;([^;]*;)*<?inlined::shop::Cart(<f64>)?>?::total'
        has_not "Rust ($scheme): no hash, nothing mangled" '::h[0-9a-f]{16}[; ]|;_(R|ZN)'
    done
else
    skip "Rust" "no rustc here"
fi

# Names that mean harm: a million symbols, one of a megabyte, one that ends the script of a page, one whose text has no end.
awk 'BEGIN {
    evil = "\"</script><script>alert(1)</script>\""
    printf ".text\n.globl main\nmain: jmp %s\n.type %s, @function\n%s: jmp %s\n.size %s, .-%s\n", evil, evil, evil, evil, evil, evil
    printf ".globl l"; for (i = 0; i < 1048576; i++) printf "o"; printf "ng\nl"; for (i = 0; i < 1048576; i++) printf "o"; print "ng: jmp main"
    for (i = 0; i < 1000000; i++) printf ".globl s%d\ns%d:\n", i, i
    print "ret\n.section .note.GNU-stack,\"\",@progbits"
}' >"$work/harm.s"
if "$c" -x assembler "$work/harm.s" -o "$work/harm" 2>/dev/null; then
    before=$(date +%s%N)
    profile "$work/harm"
    has "a million symbols, one of them a megabyte long" ';</script><script>alert[(]1[)]</script> '
    [ $((($(date +%s%N) - before) / 1000000)) -lt 20000 ] || fail "a million symbols" "they took more than 20 s"
    "$work/harm" &
    pid=$!
    "$agent" --pid "$pid" --duration 1s --output "$work/page.html" 2>/dev/null
    kill -KILL "$pid" && wait "$pid" 2>/dev/null
    pid=
    if grep -q 'alert(1)' "$work/page.html" && ! grep -q '</script><script>alert' "$work/page.html"; then
        ok "names do not end the page's script"
    else
        fail "names do not end the page's script" "$(grep -o '.\{20\}alert(1)' "$work/page.html" | head -n 1)"
    fi
else
    skip "names that mean harm" "the assembler does not take them"
fi

[ $failures -eq 0 ] || exit 1
echo "all held$([ $skips -eq 0 ] || echo ", $skips skipped")"
