/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_string: the strings of JSON texts, with their escapes (RFC 8259, 7), both ways.
 *
 * Pure. What is decoded was checked before, by json_scan.
 */
#pragma once

#include "lib/buf.h"

#include <stddef.h>
#include <stdint.h>

/* What the escape of one letter stands for; NUL: there is no such escape. */
char json_unescape(char letter);

/* The value of a hexadecimal digit, or -1. */
int json_hex_value(char digit);

/* Writes the code point in UTF-8, and returns how many bytes that took. */
size_t json_encode(uint32_t code, char utf8[4]);

/* Decodes a whole string, its quotes included, in place: text[0..len) was accepted by json_scan.
 * Returns what it stands for, *ret_len bytes within @text and a NUL, which may also be among them.
 */
char *json_string_decode(char *text, size_t len, size_t *ret_len);

/* Appends @text, which is UTF-8, as a string with its quotes. -ENOSPC past the cap of @out. */
int json_string_write(const char *text, struct buf *out);
