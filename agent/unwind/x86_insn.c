/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/x86_insn.h"

#include <string.h>

/*
 * What follows an opcode, in 64-bit mode (Intel SDM, volume 2, appendix A). m: ModRM; b, w, z: an
 * immediate of 8, 16, or 32 bits, the last of 16 after the prefix 66; v: as z, 64 bits with REX.W;
 * B, Z: ModRM and b or z; 3, 4: the same for /0 and /1, else m; o: an address; e: w and b;
 * p: a prefix or an escape; !: no instruction.
 */
static const char one_byte[] = "mmmmbz!!mmmmbz!p"
                               "mmmmbz!!mmmmbz!!"
                               "mmmmbzp!mmmmbzp!"
                               "mmmmbzp!mmmmbzp!"
                               "pppppppppppppppp"
                               "................"
                               "!!pmppppzZbB...."
                               "bbbbbbbbbbbbbbbb"
                               "BZ!Bmmmmmmmmmmmm"
                               "..........!....."
                               "oooo....bz......"
                               "bbbbbbbbvvvvvvvv"
                               "BBw.ppBZe.w..b!."
                               "mmmm!!!.mmmmmmmm"
                               "bbbbbbbbzz!b...."
                               "p.pp..34......mm";
static const char two_bytes[] = "mmmm!.....!.!m.B" /* behind 0f */
                                "mmmmmmmmmmmmmmmm"
                                "mmmm!!!!mmmmmmmm"
                                "......!.p!p!!!!!"
                                "mmmmmmmmmmmmmmmm"
                                "mmmmmmmmmmmmmmmm"
                                "mmmmmmmmmmmmmmmm"
                                "BBBBmmm.mmmmmmmm"
                                "zzzzzzzzzzzzzzzz"
                                "mmmmmmmmmmmmmmmm"
                                "...mBm!!...mBmmm"
                                "mmmmmmmmmmBmmmmm"
                                "mmBmBBBm........"
                                "mmmmmmmmmmmmmmmm"
                                "mmmmmmmmmmmmmmmm"
                                "mmmmmmmmmmmmmmmm";

enum { MAP_ONE_BYTE, MAP_0F, MAP_0F38, MAP_0F3A, MAPS };
enum { REX_B = 1, REX_R = 4, REX_W = 8 };
enum { RSP = 4, RBP = 5 };

struct reader {
    const uint8_t *at, *end;
    bool failed;
};

/* The parts of an instruction that matter here. */
struct parts {
    uint8_t map, op, rex;
    bool is_short; /* 66 */
    uint8_t mod, reg, rm, sib;
    int32_t disp, imm;
};

static int32_t take(struct reader *r, size_t n)
{
    uint32_t value = 0;

    if (r->failed || (size_t)(r->end - r->at) < n) {
        r->failed = true;
        return 0;
    }
    memcpy(&value, r->at, n < sizeof(value) ? n : sizeof(value));
    r->at += n;
    return n == 1 ? (int8_t)value : n == 2 ? (int16_t)value : (int32_t)value;
}

static bool is_prefix(uint8_t byte)
{
    return byte == 0x66 || byte == 0xf2 || byte == 0xf3 || byte == 0xf0 || byte == 0x64 ||
           byte == 0x65 || byte == 0x67 || (byte & 0xe7) == 0x26;
}

/* Prefixes and the opcode. */
static void take_opcode(struct reader *r, struct parts *p)
{
    uint8_t byte = (uint8_t)take(r, 1);

    for (; !r->failed && is_prefix(byte); byte = (uint8_t)take(r, 1))
        p->is_short |= byte == 0x66;
    if ((byte & 0xf0) == 0x40) {
        p->rex = byte & 0xf;
        byte = (uint8_t)take(r, 1);
    }
    if (byte == 0x62 || byte == 0xc4) { /* EVEX; VEX */
        p->map = (uint8_t)take(r, 1) & 7;
        (void)take(r, byte == 0x62 ? 2 : 1);
        p->map = p->map == 5 || p->map == 6 ? MAP_0F38 : p->map; /* have a ModRM alone, too */
        byte = (uint8_t)take(r, 1);
        r->failed |= p->map == MAP_ONE_BYTE || p->map >= MAPS;
    } else if (byte == 0xc5) {
        p->map = MAP_0F;
        (void)take(r, 1);
        byte = (uint8_t)take(r, 1);
    } else if (byte == 0x0f) {
        p->map = MAP_0F;
        byte = (uint8_t)take(r, 1);
        if (byte == 0x38 || byte == 0x3a) {
            p->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
            byte = (uint8_t)take(r, 1);
        }
    }
    p->op = byte;
}

static void take_modrm(struct reader *r, struct parts *p)
{
    uint8_t byte = (uint8_t)take(r, 1);

    p->mod = byte >> 6;
    p->reg = byte >> 3 & 7;
    p->rm = byte & 7;
    if (p->mod != 3 && p->rm == 4)
        p->sib = (uint8_t)take(r, 1);
    if (p->mod == 1)
        p->disp = take(r, 1);
    else if (p->mod == 2 || (p->mod == 0 && (p->rm == 4 ? p->sib & 7 : p->rm) == 5))
        p->disp = take(r, 4);
}

static void take_operands(struct reader *r, struct parts *p)
{
    char kind = p->map == MAP_ONE_BYTE ? one_byte[p->op]
                : p->map == MAP_0F     ? two_bytes[p->op]
                : p->map == MAP_0F38   ? 'm'
                                       : 'B';
    bool is_relative = p->map == MAP_0F || (p->op & 0xfe) == 0xe8; /* which 66 does not shorten */
    size_t z = p->is_short && !is_relative ? 2 : 4;

    if (kind == 'm' || kind == 'B' || kind == 'Z' || kind == '3' || kind == '4')
        take_modrm(r, p);
    if (kind == 'b' || kind == 'B' || (kind == '3' && p->reg < 2))
        p->imm = take(r, 1);
    else if (kind == 'z' || kind == 'Z' || (kind == '4' && p->reg < 2))
        p->imm = take(r, z);
    else if (kind == 'w')
        p->imm = take(r, 2);
    else if (kind == 'v')
        p->imm = take(r, p->rex & REX_W ? 8 : z);
    else if (kind == 'o')
        (void)take(r, 8);
    else if (kind == 'e')
        (void)take(r, 3);
    else if (kind == 'p' || kind == '!')
        r->failed = true;
}

static bool is_reg(const struct parts *p, uint8_t which)
{
    return p->reg == which && !(p->rex & REX_R);
}

static bool is_rm(const struct parts *p, uint8_t which)
{
    return p->mod == 3 && p->rm == which && !(p->rex & REX_B);
}

static void does(struct x86_insn *i, enum x86_effect effect, int64_t value)
{
    i->effect = (uint8_t)effect;
    i->value = value;
}

static void goes(struct x86_insn *i, enum x86_flow flow, bool has_target, int32_t target)
{
    i->flow = (uint8_t)flow;
    i->has_target = has_target;
    i->target = target;
}

/* From one register to the other: mov. */
static void moves(struct x86_insn *i, bool from_sp, bool from_bp, bool to_sp, bool to_bp)
{
    if (from_sp && to_bp)
        does(i, X86_SETS_BP, 0);
    else if (from_bp && to_sp)
        does(i, X86_SETS_SP, 0);
    else if (to_sp)
        does(i, X86_LOSES_SP, 0);
}

static void lea(struct x86_insn *i, const struct parts *p)
{
    bool is_based = (p->mod == 1 || p->mod == 2) && !(p->rex & REX_B);
    bool by_sp = is_based && p->rm == 4 && p->sib == 0x24, by_bp = is_based && p->rm == RBP;

    if (is_reg(p, RSP) && by_sp)
        does(i, X86_GROWS, -(int64_t)p->disp);
    else if (is_reg(p, RSP) && by_bp)
        does(i, X86_SETS_SP, p->disp);
    else if (is_reg(p, RSP))
        does(i, X86_LOSES_SP, 0);
    else if (is_reg(p, RBP) && by_sp)
        does(i, X86_SETS_BP, p->disp);
    else if (p->mod == 0 && p->rm == 5) /* of rip */
        goes(i, X86_NEXT, true, p->disp);
}

/* add, or, adc, sbb, and, sub, xor, cmp with an immediate. */
static void arithmetic(struct x86_insn *i, const struct parts *p)
{
    if (!is_rm(p, RSP) || p->reg == 7)
        return;
    if (p->reg == 0)
        does(i, X86_GROWS, -(int64_t)p->imm);
    else if (p->reg == 5)
        does(i, X86_GROWS, p->imm);
    else
        does(i, X86_LOSES_SP, 0);
}

static void group_ff(struct x86_insn *i, const struct parts *p)
{
    if (p->reg == 2 || p->reg == 3)
        goes(i, X86_CALL, false, 0);
    else if (p->reg == 4 || p->reg == 5)
        goes(i, X86_ANYWHERE, false, 0);
    else if (p->reg == 6)
        does(i, X86_GROWS, 8);
}

static void push_or_pop(struct x86_insn *i, const struct parts *p)
{
    bool is_push = p->op < 0x58, is_old = !(p->rex & REX_B);

    if (is_old && (p->op & 7) == RBP)
        does(i, is_push ? X86_SAVES_BP : X86_RESTORES_BP, 0);
    else if (is_old && !is_push && (p->op & 7) == RSP)
        does(i, X86_LOSES_SP, 0);
    else
        does(i, X86_GROWS, is_push ? 8 : -8);
}

static void understand(struct x86_insn *i, const struct parts *p)
{
    switch (p->op) {
    case 0x50 ... 0x5f:
        push_or_pop(i, p);
        break;
    case 0x68: /* push */
    case 0x6a:
    case 0x9c:
        does(i, X86_GROWS, 8);
        break;
    case 0x8f: /* pop */
    case 0x9d:
        does(i, X86_GROWS, -8);
        break;
    case 0x81:
    case 0x83:
        arithmetic(i, p);
        break;
    case 0x01: /* add, sub */
    case 0x29:
    case 0x03:
    case 0x2b:
        if (p->op & 2 ? is_reg(p, RSP) : is_rm(p, RSP))
            does(i, X86_LOSES_SP, 0);
        break;
    case 0x89: /* mov */
        moves(i, is_reg(p, RSP), is_reg(p, RBP), is_rm(p, RSP), is_rm(p, RBP));
        break;
    case 0x8b:
        moves(i, is_rm(p, RSP), is_rm(p, RBP), is_reg(p, RSP), is_reg(p, RBP));
        break;
    case 0x8d:
        lea(i, p);
        break;
    case 0xc8: /* enter */
        does(i, X86_LOSES_SP, 0);
        break;
    case 0xc9:
        does(i, X86_LEAVES, 0);
        break;
    case 0x70 ... 0x7f:
    case 0xe0 ... 0xe3:
        goes(i, X86_BRANCH, true, p->imm);
        break;
    case 0xe8:
        goes(i, X86_CALL, true, p->imm);
        break;
    case 0xe9:
    case 0xeb:
        goes(i, X86_JUMP, true, p->imm);
        break;
    case 0xff:
        group_ff(i, p);
        break;
    case 0xc2: /* ret, iret, int3, hlt */
    case 0xc3:
    case 0xca:
    case 0xcb:
    case 0xcc:
    case 0xcf:
    case 0xf4:
        goes(i, X86_STOP, false, 0);
        break;
    default:
        break;
    }
}

bool x86_insn_decode(const uint8_t *code, size_t size, struct x86_insn *ret_insn)
{
    enum { LEN_MAX = 15 };
    struct reader r = { code, code + (size < LEN_MAX ? size : LEN_MAX), false };
    struct x86_insn insn = { 0 };
    struct parts p = { 0 };

    take_opcode(&r, &p);
    take_operands(&r, &p);
    if (r.failed)
        return false;
    insn.len = (uint8_t)(r.at - code);
    if (p.map == MAP_ONE_BYTE)
        understand(&insn, &p);
    else if (p.map == MAP_0F && p.op == 0x0b) /* ud2 */
        goes(&insn, X86_STOP, false, 0);
    else if (p.map == MAP_0F && (p.op & 0xf0) == 0x80)
        goes(&insn, X86_BRANCH, true, p.imm);
    *ret_insn = insn;
    return true;
}
