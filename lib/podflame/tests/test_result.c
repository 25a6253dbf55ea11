/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/podflame/result.h"

#include "lib/json.h"
#include "lib/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum result_state decode(const char *text, size_t len, size_t step, struct result_decoder *d)
{
    result_decoder_init(d);
    for (size_t at = 0; at < len; at += step)
        result_decoder_feed(d, text + at, len - at < step ? len - at : step);
    return result_decoder_finish(d);
}

static void page_fill(unsigned char *page, size_t len)
{
    for (size_t i = 0; i < len; i++)
        page[i] = (unsigned char)(i * 2654435761U >> 13);
}

static void what_is_encoded_is_decoded(void **state)
{
    static const size_t sizes[] = {
        0, 1, 2, 3, RESULT_LINE_BYTES, RESULT_LINE_BYTES + 1, RESULT_PAGE_MAX
    };
    static const size_t steps[] = { 1, 7, 4096, 1 << 24 };
    struct result_profile profile = {
        .samples = 990,
        .lost = 3,
        .frequency = 99,
        .runtimes = { "native", "go" },
        .notes = { [RESULT_NOTE_LOST_BUFFER_FULL] = 3, [RESULT_NOTE_COUNT - 1] = INT64_MAX },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
            _cleanup_buf_ struct buf out = BUF_INIT(4 << 20);
            __attribute__((cleanup(result_decoder_release))) struct result_decoder d;
            unsigned char *page = mem_alloc(sizes[i]);

            page_fill(page, sizes[i]);
            assert_int_equal(buf_add_str(&out, "ts=1 level=info msg=\"noise before\"\n"), 0);
            assert_int_equal(result_encode(&profile, page, sizes[i], &out), 0);
            assert_int_equal(decode(out.data, out.len, steps[k], &d), RESULT_COMPLETE);
            assert_int_equal(d.page_gz.len, sizes[i]);
            assert_memory_equal(buf_str(&d.page_gz), page, sizes[i]);
            assert_int_equal(d.profile.samples, 990);
            assert_int_equal(d.profile.bytes, sizes[i]);
            assert_memory_equal(d.profile.notes, profile.notes, sizeof(profile.notes));
            assert_string_equal(d.profile.runtimes[1], "go");
            assert_string_equal(d.profile.runtimes[2], "");
            free(page);
        }
    }
}

static void notes_are_only_those_that_are_known(void **state)
{
    static const char text[] = RESULT_PREFIX
        "header {\"bytes\":0,\"sha256\":"
        "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
        "\"profile\":{\"notes\":{\"truncatedNoRule\":7,\"truncatedNoCode\":-1,"
        "\"lostExiting\":\"many\",\"eventsLost\":{},\"</script>\":5}}}\n" RESULT_PREFIX
        "end {\"lines\":0}\n";
    __attribute__((cleanup(result_decoder_release))) struct result_decoder d;
    int64_t sum = 0;

    (void)state;
    assert_int_equal(decode(text, sizeof(text) - 1, 5, &d), RESULT_COMPLETE);
    for (size_t i = 0; i < RESULT_NOTE_COUNT; i++)
        sum += d.profile.notes[i];
    assert_int_equal(d.profile.notes[RESULT_NOTE_NO_RULE], 7);
    assert_int_equal(sum, 7);

    _cleanup_json_ struct json_object *o = result_profile_to_json(&d.profile);
    assert_string_equal(json_object_to_json_string(json_get(o, "notes")),
                        "{ \"truncatedNoRule\": 7 }");
    assert_null(json_get(o, "notes.lostExiting"));
}

static void notes_are_told_in_words(void **state)
{
    static const struct {
        enum result_note note;
        int64_t count;
        const char *text;
    } cases[] = {
        { RESULT_NOTE_LOST_BUFFER_FULL, 12, "12 samples lost: the ring buffer was full" },
        { RESULT_NOTE_FRAME_POINTERS, 1, "1 sample walked by frame pointers alone" },
        { RESULT_NOTE_MERGED, 2, "2 processes merged by name, without a pid" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_buf_ struct buf text = BUF_INIT(256);

        assert_int_equal(result_note_print(cases[i].note, cases[i].count, &text), 0);
        assert_string_equal(buf_str(&text), cases[i].text);
    }
}

static void too_large_a_page_is_refused(void **state)
{
    _cleanup_buf_ struct buf out = BUF_INIT(4 << 20);
    char *page = mem_zalloc(RESULT_PAGE_MAX + 1);

    (void)state;
    assert_int_equal(result_encode(&(struct result_profile){ 0 }, page, RESULT_PAGE_MAX + 1, &out),
                     -EFBIG);
    free(page);
}

static void an_error_carries_reason_and_message(void **state)
{
    _cleanup_buf_ struct buf out = BUF_INIT(4096);
    __attribute__((cleanup(result_decoder_release))) struct result_decoder d;

    (void)state;
    assert_int_equal(result_encode_error(RESULT_TARGET_GONE, "no \"process\"\nis left", &out), 0);
    assert_int_equal(decode(out.data, out.len, 3, &d), RESULT_FAILED);
    assert_string_equal(d.reason, "TargetGone");
    assert_string_equal(d.message, "no \"process\"\nis left");
}

static void damage_never_completes(void **state)
{
    _cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
    unsigned char page[20000];

    (void)state;
    page_fill(page, sizeof(page));
    assert_int_equal(
        result_encode(&(struct result_profile){ .samples = 5 }, page, sizeof(page), &out), 0);
    for (size_t cut = 0; cut + 1 < out.len; cut += 97) { /* a log cut anywhere */
        __attribute__((cleanup(result_decoder_release))) struct result_decoder d;

        assert_int_not_equal(decode(out.data, cut, 512, &d), RESULT_COMPLETE);
    }
    for (size_t at = 0; at < out.len; at += 131) { /* one byte changed */
        __attribute__((cleanup(result_decoder_release))) struct result_decoder d;
        char was = out.data[at];

        out.data[at] = was == 'A' ? 'B' : 'A';
        if (decode(out.data, out.len, 512, &d) == RESULT_COMPLETE)
            assert_memory_equal(buf_str(&d.page_gz), page, sizeof(page)); /* a statistic changed */
        out.data[at] = was;
    }
}

static const struct {
    const char *name, *text;
    enum result_state state;
} streams[] = {
    { "empty", "", RESULT_NONE },
    { "noise", "hello\n\n\xff\xfe\npodflame/2 header {}\n", RESULT_NONE },
    { "not JSON", "podflame/1 header {\n", RESULT_BROKEN },
    { "no kind", "podflame/1 \n", RESULT_BROKEN },
    { "negative length", "podflame/1 header {\"bytes\":-1,\"sha256\":\"\"}\n", RESULT_BROKEN },
    { "huge length", "podflame/1 header {\"bytes\":99999999999999999999,\"sha256\":\"\"}\n",
      RESULT_BROKEN },
    { "data first", "podflame/1 data AAAA\n", RESULT_BROKEN },
    { "end first", "podflame/1 end {\"lines\":0}\n", RESULT_BROKEN },
    { "reason with spaces", "podflame/1 error {\"reason\":\"a b\",\"message\":\"m\"}\n",
      RESULT_FAILED },
    { "reason missing", "podflame/1 error {}\n", RESULT_FAILED },
    { "error twice", "podflame/1 error {}\npodflame/1 error {}\n", RESULT_BROKEN },
};

#define E10 "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
#define E40 E10 E10 E10 E10

static void what_is_cut_ends_between_two_characters(void **state)
{
    static const char digest[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    __attribute__((cleanup(result_decoder_release))) struct result_decoder d;
    _cleanup_buf_ struct buf text = BUF_INIT(4096);

    (void)state;
    assert_int_equal(buf_printf(&text,
                                "podflame/1 header {\"bytes\":0,\"sha256\":\"%s\",\"profile\":"
                                "{\"runtimes\":[\"" E40 "\",\"\",\"go\"]}}\npodflame/1 end "
                                "{\"lines\":0}\n",
                                digest),
                     0);
    assert_int_equal(decode(text.data, text.len, 9, &d), RESULT_COMPLETE);
    assert_string_equal(d.profile.runtimes[0], E10 E10 E10 "\xc3\xa9");
    assert_string_equal(d.profile.runtimes[1], "?");
    assert_string_equal(d.profile.runtimes[2], "go");
    result_decoder_release(&d);

    buf_clear(&text);
    assert_int_equal(buf_add_str(&text, "podflame/1 error {\"message\":\"x"), 0);
    for (int i = 0; i < 60; i++)
        assert_int_equal(buf_add_str(&text, E10), 0);
    assert_int_equal(buf_add_str(&text, "\"}\n"), 0);
    assert_int_equal(decode(text.data, text.len, 9, &d), RESULT_FAILED);
    assert_int_equal(strlen(d.message), sizeof(d.message) - 1);
    assert_memory_equal(d.message + sizeof(d.message) - 3, "\xc3\xa9", 3);
}

static void hostile_streams_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        __attribute__((cleanup(result_decoder_release))) struct result_decoder d;
        enum result_state got = decode(streams[i].text, strlen(streams[i].text), 5, &d);

        if (got != streams[i].state)
            fail_msg("%s: state %d, expected %d", streams[i].name, (int)got, (int)streams[i].state);
        if (got == RESULT_FAILED)
            assert_string_equal(d.reason, "AgentFailed");
    }
}

static void a_line_too_long_is_skipped_not_stored(void **state)
{
    __attribute__((cleanup(result_decoder_release))) struct result_decoder d;
    size_t len = 10 << 20;
    char *noise = mem_alloc(len);

    (void)state;
    memset(noise, 'x', len);
    result_decoder_init(&d);
    result_decoder_feed(&d, RESULT_PREFIX "data ", strlen(RESULT_PREFIX "data "));
    result_decoder_feed(&d, noise, len);
    assert_true(d.line.size <= 2 * RESULT_TEXT_LINE_MAX + 1024);
    result_decoder_feed(&d, "\npodflame/1 error {}\n", 21);
    assert_int_equal(result_decoder_finish(&d), RESULT_FAILED);
    free(noise);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(notes_are_only_those_that_are_known),
        cmocka_unit_test(notes_are_told_in_words),
        cmocka_unit_test(too_large_a_page_is_refused),
        cmocka_unit_test(an_error_carries_reason_and_message),
        cmocka_unit_test(damage_never_completes),
        cmocka_unit_test(what_is_cut_ends_between_two_characters),
        cmocka_unit_test(hostile_streams_are_judged),
        cmocka_unit_test(a_line_too_long_is_skipped_not_stored),
    };

    return cmocka_run_group_tests_name("result", tests, NULL, NULL);
}
