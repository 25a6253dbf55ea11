/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_bytecode: the instructions of a Java method as the machine has rewritten them: how long
 * they are, where they call and whether they jump back. Pure; no byte past the given ones is read.
 *
 * JVM specification, chapter 6; from 203 on they are the machine's own
 * (src/hotspot/share/interpreter/bytecodes.cpp), the same from JDK 8 to 26.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    JAVA_INVOKEVIRTUAL = 0xb6,
    JAVA_INVOKESPECIAL = 0xb7,
    JAVA_INVOKESTATIC = 0xb8,
    JAVA_INVOKEINTERFACE = 0xb9,
    JAVA_INVOKEHANDLE = 233,
};

/* Of the one at @at; 0: there is none, or it is not all there. */
uint32_t hotspot_bytecode_length(const uint8_t *code, uint32_t size, uint32_t at);

/* Does it call a method that a class names? */
bool hotspot_bytecode_is_call(uint8_t bytecode);

/* Does it jump back, or to itself? *ret_to: where. */
bool hotspot_bytecode_jumps_back(const uint8_t *code, uint32_t size, uint32_t at, uint32_t *ret_to);
