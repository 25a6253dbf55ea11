/* SPDX-License-Identifier: Apache-2.0 */
/* demangle: names as compilers make them; and in the sandbox, names that nobody would make. */
#include "agent/symbols/demangle.h"

#include "agent/symbols/demangle_names.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct {
    const char *mangled, *text; /* NULL: it is not mangled */
} cases[] = {
    { "_Z3fooi", "foo" },
    { "_ZN4shop6MatrixIdE3sumEd", "shop::Matrix<double>::sum" },
    { "_ZNK4shop6MatrixIdE3sumEd", "shop::Matrix<double>::sum" },
    { "_ZN3FooC1Ev", "Foo::Foo" },
    { "_ZN3FooC2Ev", "Foo::Foo" },
    { "_ZN3FooC4Ev", "Foo::Foo" },
    { "_ZN3FooD0Ev", "Foo::~Foo" },
    { "_ZplRK1AS1_", "operator+" },
    { "_ZN12_GLOBAL__N_13runEv", "(anonymous namespace)::run" },
    { "_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back" },
    { "_ZSt4sortIPiEvT_S1_", "std::sort<int*>" },
    { "_ZN3FooB5cxx113barEv", "Foo[abi:cxx11]::bar" },
    { "_ZTv0_n24_N3FooD1Ev", "virtual thunk to Foo::~Foo()" },
    { "_ZGVZ4mainE1x", "guard variable for main::x" },
    { "_ZSt4swapIiENSt9enable_ifIXsrSt6__and_IJSt6__not_ISt15__is_tuple_likeIT_EEEE5valueEvE4type"
      "ERS4_SE_",
      "std::swap<...>" },
    { "_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt" },
    { "_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h930b740a"
      "a94f1d3aE",
      "<Test + 'static as foo::Bar<Test>>::bar" },
    { "_ZN4main4main28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE",
      "main::main::{{closure}}" },
    { "_ZN8hot_hash3run17h0123456789abcdexE", "hot_hash::run::h0123456789abcdex" },
    { "_RNvC6_123foo3bar", "123foo::bar" },
    { "_RNvMs_Cs4Cv8Wi1oAIB_7mycrateNtB4_7Example3foo", "<mycrate::Example>::foo" },
    { "_RNCNvCs4Cv8Wi1oAIB_4main4main0B3_", "main::main::{closure#0}" },
    { "_Z", NULL },
    { "_ZZZZ", NULL },
    { "_R", NULL },
    { "_RZZ", NULL },
};

static void reads_what_compilers_make(void **state)
{
    char text[DEMANGLE_TEXT_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(demangle_applies(cases[i].mangled));
        bool found = demangle(cases[i].mangled, text);

        if (found != (cases[i].text != NULL) || (found && strcmp(text, cases[i].text) != 0))
            fail_msg("%s: '%s', not '%s'", cases[i].mangled, found ? text : "(none)",
                     cases[i].text ? cases[i].text : "(none)");
    }
}

static const struct {
    const char *name, *stripped;
} appended[] = {
    { "compute", "compute" },
    { "compute.cold", "compute" },
    { "compute.constprop.0", "compute" },
    { "compute.isra.0.part.12.cold", "compute" },
    { "_ZN1a1bEv.llvm.1234567890123", "_ZN1a1bEv" },
    { "x.__uniq.987.llvm.12", "x" },
    { "f.lto_priv.0", "f" },
    { "nested.0", "nested.0" },
    { "a.b", "a.b" },
    { ".cold", ".cold" },
    { ".part.0", ".part.0" },
    { "12", "12" },
    { "f.", "f." },
    { "", "" },
};

static void drops_what_compilers_append(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(appended) / sizeof(appended[0]); i++) {
        if (demangle_strip(appended[i].name) != strlen(appended[i].stripped))
            fail_msg("'%s': not '%s'", appended[i].name, appended[i].stripped);
    }
}

static void tries_only_what_may_be_mangled(void **state)
{
    _cleanup_free_ char *name = mem_array(DEMANGLE_INPUT_MAX + 2, 1);

    (void)state;
    assert_false(demangle_applies("main"));
    assert_false(demangle_applies("_"));
    assert_false(demangle_applies(""));
    memset(name, '1', DEMANGLE_INPUT_MAX - 1);
    name[0] = '_';
    name[1] = 'Z';
    assert_true(demangle_applies(name));
    name[DEMANGLE_INPUT_MAX - 1] = '1';
    assert_false(demangle_applies(name));
}

static struct name_chain chain_of(const char *name, enum flame_kind kind)
{
    struct name_chain chain = { 0 };

    name_chain_add(&chain, mem_strdup(name), kind);
    return chain;
}

static void release(struct name_chain *chains, size_t n)
{
    for (size_t i = 0; i < n; i++)
        name_chain_release(&chains[i]);
}

static void changes_native_names_alone(void **state)
{
    struct name_chain chains[] = {
        chain_of("_Z3fooi.cold", FLAME_NATIVE),  chain_of("_Z3bari", FLAME_NATIVE),
        chain_of("_Z3fooi", FLAME_NATIVE),       chain_of("_Z3fooi", FLAME_JIT),
        chain_of("_Z3fooi", FLAME_KERNEL),       chain_of("main.cold", FLAME_GO),
        chain_of("_Z6in_cgov", FLAME_GO),        chain_of("[app+0x12]", FLAME_UNKNOWN),
        chain_of("helper.part.0", FLAME_NATIVE),
    };
    static const char *const wanted[] = { "foo",       "bar",    "foo",        "_Z3fooi", "_Z3fooi",
                                          "main.cold", "in_cgo", "[app+0x12]", "helper" };
    enum { CHAINS = sizeof(chains) / sizeof(chains[0]) };

    (void)state;
    name_chain_add(&chains[1], mem_strdup("_ZN1a1bEv"), FLAME_INLINED);
    assert_int_equal(demangle_names(chains, CHAINS, &(struct name_room){ 1 << 20, 0 }), 0);
    for (size_t i = 0; i < CHAINS; i++)
        assert_string_equal(chains[i].names[0].text, wanted[i]);
    assert_string_equal(chains[1].names[1].text, "a::b");
    release(chains, CHAINS);
}

/* There is room for a name of one letter. */
static void stays_mangled_without_room(void **state)
{
    struct name_chain chains[] = { chain_of("_Z1av", FLAME_NATIVE),
                                   chain_of("_Z11longer_namev", FLAME_NATIVE) };
    struct name_room room = { sizeof("a"), 0 };

    (void)state;
    assert_int_equal(demangle_names(chains, 2, &room), 0);
    assert_string_equal(chains[0].names[0].text, "a");
    assert_string_equal(chains[1].names[0].text, "_Z11longer_namev");
    assert_int_equal(room.n_refused, 1);
    release(chains, 2);
}

/* A name of 400 bytes whose text is 2^30 long: each type holds the one before twice. */
static char *make_doubling(void)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char name[DEMANGLE_INPUT_MAX];
    size_t len = (size_t)snprintf(name, sizeof(name), "_Z1fI1pIiiE");

    for (int i = 0; i < 30; i++)
        len += (size_t)snprintf(name + len, sizeof(name) - len, "S0_IS%c_S%c_E", digits[i + 1],
                                digits[i]);
    (void)snprintf(name + len, sizeof(name) - len, "Evv");
    return mem_strdup(name);
}

static char *make_deep(char c)
{
    char *name = mem_array(DEMANGLE_INPUT_MAX, 1);

    memset(name, c, DEMANGLE_INPUT_MAX - 1);
    (void)snprintf(name, 5, "_Z1f");
    name[4] = c;
    return name;
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void survives_names_without_end(void **state)
{
    _cleanup_free_ char *doubling = make_doubling(), *pointers = make_deep('P'),
                        *names = make_deep('N'), *templates = make_deep('I');
    struct name_chain chains[] = {
        chain_of("_Z3bari", FLAME_NATIVE),       chain_of(doubling, FLAME_NATIVE),
        chain_of(doubling, FLAME_NATIVE),        chain_of(pointers, FLAME_NATIVE),
        chain_of(names, FLAME_NATIVE),           chain_of(templates, FLAME_NATIVE),
        chain_of("_Z9zzz_afterv", FLAME_NATIVE),
    };
    enum { CHAINS = sizeof(chains) / sizeof(chains[0]) };
    int64_t before = now_ms();

    (void)state;
    assert_in_range(demangle_names(chains, CHAINS, &(struct name_room){ 1 << 20, 0 }), 1, 4);
    assert_in_range(now_ms() - before, 0, 10000);
    assert_string_equal(chains[0].names[0].text, "bar");
    assert_string_equal(chains[1].names[0].text, doubling);
    assert_string_equal(chains[2].names[0].text, doubling);
    assert_string_equal(chains[6].names[0].text, "zzz_after");
    release(chains, CHAINS);
}

static void gives_up_on_a_run_full_of_them(void **state)
{
    enum { CHAINS = 2 * DEMANGLE_FAILURES_MAX };
    struct name_chain chains[CHAINS];
    _cleanup_free_ char *doubling = make_doubling();

    (void)state;
    for (size_t i = 0; i < CHAINS; i++) {
        chains[i] = chain_of(doubling, FLAME_NATIVE);
        chains[i].names[0].text[3] = (char)('a' + i);
    }
    assert_int_equal(demangle_names(chains, CHAINS, &(struct name_room){ 1 << 20, 0 }), CHAINS);
    release(chains, CHAINS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_compilers_make),
        cmocka_unit_test(drops_what_compilers_append),
        cmocka_unit_test(tries_only_what_may_be_mangled),
        cmocka_unit_test(changes_native_names_alone),
        cmocka_unit_test(stays_mangled_without_room),
        cmocka_unit_test(survives_names_without_end),
        cmocka_unit_test(gives_up_on_a_run_full_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
