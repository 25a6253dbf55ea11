/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/cfi.h"

#include <string.h>

/* DWARF 5, 7.24; the last two are GCC's, those before of "DWARF for the Arm 64-bit Architecture".
 */
enum {
    CFA_ADVANCE_LOC = 0x40, /* the low six bits of these three are an operand */
    CFA_OFFSET = 0x80,
    CFA_RESTORE = 0xc0,
    CFA_NOP = 0x00,
    CFA_ADVANCE_LOC1 = 0x02,
    CFA_ADVANCE_LOC2 = 0x03,
    CFA_ADVANCE_LOC4 = 0x04,
    CFA_OFFSET_EXTENDED = 0x05,
    CFA_RESTORE_EXTENDED = 0x06,
    CFA_UNDEFINED = 0x07,
    CFA_SAME_VALUE = 0x08,
    CFA_REGISTER = 0x09,
    CFA_REMEMBER_STATE = 0x0a,
    CFA_RESTORE_STATE = 0x0b,
    CFA_DEF_CFA = 0x0c,
    CFA_DEF_CFA_REGISTER = 0x0d,
    CFA_DEF_CFA_OFFSET = 0x0e,
    CFA_DEF_CFA_EXPRESSION = 0x0f,
    CFA_EXPRESSION = 0x10,
    CFA_OFFSET_EXTENDED_SF = 0x11,
    CFA_DEF_CFA_SF = 0x12,
    CFA_DEF_CFA_OFFSET_SF = 0x13,
    CFA_VAL_OFFSET = 0x14,
    CFA_VAL_OFFSET_SF = 0x15,
    CFA_VAL_EXPRESSION = 0x16,
    CFA_AARCH64_NEGATE_RA_STATE_WITH_PC = 0x2c,
    CFA_AARCH64_NEGATE_RA_STATE = 0x2d,
    CFA_GNU_ARGS_SIZE = 0x2e,
    CFA_GNU_NEGATIVE_OFFSET = 0x2f,
};

enum {
    OP_DEREF = 0x06,
    OP_CONST1U = 0x08,
    OP_PLUS = 0x22,
    OP_PLUS_UCONST = 0x23,
    OP_LIT0 = 0x30,
    OP_BREG0 = 0x70,
};

/* How the return address is known, beside what a rule can say. */
enum ra_state { RA_FOUND, RA_UNDEFINED, RA_UNKNOWN };

struct state {
    struct unwind_rule rule; /* without the return address taken into account */
    enum ra_state ra;
    bool bp_unknown;
};

struct machine {
    const struct cfi_context *context;
    struct dwarf_cursor at;
    uint64_t offset, size;
    struct state now, initial;
    struct state remembered[CFI_REMEMBERED_MAX];
    unsigned n_remembered;
    cfi_fn on_row;
    void *arg;
};

static int32_t narrow(struct machine *m, int64_t value)
{
    if (value < INT32_MIN || value > INT32_MAX)
        m->at.failed = true;
    return (int32_t)value;
}

static int64_t factored(struct machine *m, int64_t value)
{
    int64_t product = 0;

    if (__builtin_mul_overflow(value, m->context->data_align, &product))
        m->at.failed = true;
    return product;
}

static struct unwind_rule finished(const struct machine *m)
{
    const struct state *s = &m->now;
    struct unwind_rule rule = s->rule;

    if (m->context->is_signal_frame)
        return (struct unwind_rule){ .cfa = UNWIND_CFA_SIGNAL };
    if (s->ra == RA_UNDEFINED)
        return (struct unwind_rule){ .cfa = UNWIND_CFA_END };
    if (s->ra == RA_UNKNOWN || s->bp_unknown || rule.cfa == UNWIND_CFA_NONE ||
        rule.cfa == UNWIND_CFA_UNKNOWN)
        return (struct unwind_rule){ .cfa = UNWIND_CFA_UNKNOWN };
    return rule;
}

/* The rule holds up to here; what follows changes it from here on. */
static void advance(struct machine *m, uint64_t by)
{
    struct unwind_rule rule = finished(m);

    if (by == 0 || m->at.failed)
        return;
    if (m->on_row && m->offset < m->size)
        m->on_row(m->arg, m->offset, &rule);
    if (__builtin_add_overflow(m->offset, by, &m->offset))
        m->at.failed = true;
}

static void advance_factored(struct machine *m, uint64_t by)
{
    uint64_t product = 0;

    if (__builtin_mul_overflow(by, m->context->code_align, &product))
        m->at.failed = true;
    advance(m, product);
}

static bool is_bp(const struct machine *m, uint64_t reg)
{
    return reg == m->context->registers->bp;
}

static void saved_at_cfa(struct machine *m, uint64_t reg, int64_t off)
{
    struct state *s = &m->now;

    if (is_bp(m, reg)) {
        s->rule.bp = UNWIND_BP_AT_CFA;
        s->rule.bp_off = narrow(m, off);
        s->bp_unknown = false;
    } else if (reg == m->context->ra_column) {
        s->rule.ra = UNWIND_RA_AT_CFA;
        s->rule.ra_off = narrow(m, off);
        s->ra = RA_FOUND;
    }
}

static void restore(struct machine *m, uint64_t reg)
{
    struct state *s = &m->now;
    const struct state *i = &m->initial;

    if (is_bp(m, reg)) {
        s->rule.bp = i->rule.bp;
        s->rule.bp_off = i->rule.bp_off;
        s->bp_unknown = i->bp_unknown;
    } else if (reg == m->context->ra_column) {
        s->rule.ra = i->rule.ra;
        s->rule.ra_off = i->rule.ra_off;
        s->ra = i->ra;
    }
}

/* Where the return address is that no rule tells of: in its own column, if that is a register. */
static void ra_by_call(struct state *s, const struct cfi_context *context)
{
    s->ra = RA_UNKNOWN; /* lost, not undefined: only code that says so ends */
    if (context->registers->link == 0 || context->ra_column >= context->registers->n)
        return;
    s->rule.ra = UNWIND_RA_IN_REG;
    s->rule.ra_off = (int32_t)context->ra_column;
    s->ra = RA_FOUND;
}

/* A frame pointer that is undefined is of no use to the caller: it may as well be the same. */
static void unchanged(struct machine *m, uint64_t reg, bool undefined)
{
    if (is_bp(m, reg)) {
        m->now.rule.bp = UNWIND_BP_SAME;
        m->now.rule.bp_off = 0;
        m->now.bp_unknown = false;
    } else if (reg == m->context->ra_column) {
        ra_by_call(&m->now, m->context);
        if (undefined)
            m->now.ra = RA_UNDEFINED;
    }
}

static void in_register(struct machine *m, uint64_t reg, uint64_t other)
{
    if (is_bp(m, reg)) {
        m->now.bp_unknown = true;
    } else if (reg == m->context->ra_column && other < m->context->registers->n) {
        m->now.rule.ra = UNWIND_RA_IN_REG;
        m->now.rule.ra_off = (int32_t)other;
        m->now.ra = RA_FOUND;
    } else if (reg == m->context->ra_column) {
        m->now.ra = RA_UNKNOWN;
    }
}

static void lost(struct machine *m, uint64_t reg)
{
    if (is_bp(m, reg))
        m->now.bp_unknown = true;
    else if (reg == m->context->ra_column)
        m->now.ra = RA_UNKNOWN;
}

static void define_cfa(struct machine *m, uint64_t reg, int64_t off)
{
    struct unwind_rule *rule = &m->now.rule;
    bool is_known = reg < m->context->registers->n;

    rule->cfa = is_known ? UNWIND_CFA_REG : UNWIND_CFA_UNKNOWN;
    rule->reg = (uint8_t)(is_known ? reg : 0);
    rule->cfa_off = narrow(m, off);
    rule->deref_off = 0;
}

/* DW_OP_breg: a register and an offset. */
static bool take_breg(const struct machine *m, struct dwarf_cursor *e, uint8_t *ret_reg,
                      int64_t *ret_off)
{
    uint8_t op = dwarf_u8(e);

    *ret_reg = (uint8_t)(op - OP_BREG0);
    *ret_off = dwarf_sleb(e);
    return !e->failed && op >= OP_BREG0 && op < OP_BREG0 + m->context->registers->n;
}

static bool is_small(int64_t value)
{
    return value >= INT32_MIN && value <= INT32_MAX;
}

/*
 * What linkers write for the entries of the PLT, which push one word before their last instruction:
 * rsp + 8 + ((rip & 15) >= N) * 8.
 */
static bool match_plt(const struct dwarf_cursor *e, int32_t *ret_from)
{
    static const uint8_t head[] = { 0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a };
    static const uint8_t tail[] = { 0x2a, 0x33, 0x24, 0x22 };

    if (dwarf_left(e) != sizeof(head) + 1 + sizeof(tail) ||
        memcmp(e->at, head, sizeof(head)) != 0 ||
        memcmp(e->at + sizeof(head) + 1, tail, sizeof(tail)) != 0)
        return false;

    uint8_t literal = e->at[sizeof(head)];

    if (literal < OP_LIT0 || literal > OP_LIT0 + 15)
        return false;
    *ret_from = literal - OP_LIT0;
    return true;
}

/* The constant that an expression adds at its end; 0 when it ends here. */
static bool take_addend(struct dwarf_cursor *e, int64_t *ret_addend)
{
    uint8_t op;

    *ret_addend = 0;
    if (dwarf_left(e) == 0)
        return true;
    op = dwarf_u8(e);
    if (op == OP_PLUS_UCONST) {
        uint64_t value = dwarf_uleb(e);

        *ret_addend = (int64_t)(value > INT32_MAX ? INT64_MAX : value);
    } else if (op >= OP_LIT0 && op < OP_LIT0 + 32) {
        *ret_addend = op - OP_LIT0;
    } else if (op == OP_CONST1U) {
        *ret_addend = dwarf_u8(e);
    } else {
        return false;
    }
    if (op != OP_PLUS_UCONST && dwarf_u8(e) != OP_PLUS)
        return false;
    return !e->failed && dwarf_left(e) == 0;
}

static void define_cfa_by(struct machine *m, struct dwarf_cursor e)
{
    struct unwind_rule *rule = &m->now.rule;
    int64_t off, addend;
    int32_t from;
    uint8_t reg;

    rule->cfa = UNWIND_CFA_UNKNOWN;
    rule->reg = 0;
    rule->cfa_off = rule->deref_off = 0;
    if (m->context->registers->link == 0 && match_plt(&e, &from)) {
        rule->cfa = UNWIND_CFA_PLT;
        rule->cfa_off = from;
        return;
    }
    if (!take_breg(m, &e, &reg, &off) || !is_small(off))
        return;
    if (dwarf_left(&e) > 0 && *e.at == OP_DEREF) {
        e.at++;
        if (!take_addend(&e, &addend) || !is_small(addend))
            return;
        rule->cfa = UNWIND_CFA_DEREF;
        rule->deref_off = (int32_t)addend;
    } else if (dwarf_left(&e) == 0) {
        rule->cfa = UNWIND_CFA_REG;
    } else {
        return;
    }
    rule->reg = reg;
    rule->cfa_off = (int32_t)off;
}

/* The frame pointer is saved where the expression says. */
static void saved_by(struct machine *m, uint64_t reg, struct dwarf_cursor e)
{
    int64_t off;
    uint8_t base;

    if (is_bp(m, reg) && take_breg(m, &e, &base, &off) && is_bp(m, base) && dwarf_left(&e) == 0 &&
        is_small(off)) {
        m->now.rule.bp = UNWIND_BP_AT_BP;
        m->now.rule.bp_off = (int32_t)off;
        m->now.bp_unknown = false;
        return;
    }
    lost(m, reg);
}

static struct dwarf_cursor take_block(struct machine *m)
{
    struct dwarf_cursor block = m->at;
    uint64_t size = dwarf_uleb(&m->at);

    block.at = m->at.at;
    dwarf_skip(&m->at, size);
    block.end = m->at.failed ? block.at : m->at.at;
    return block;
}

static void remember(struct machine *m)
{
    if (m->n_remembered == CFI_REMEMBERED_MAX)
        m->at.failed = true;
    else
        m->remembered[m->n_remembered++] = m->now;
}

static void recall(struct machine *m)
{
    if (m->n_remembered == 0)
        m->at.failed = true;
    else
        m->now = m->remembered[--m->n_remembered];
}

/* Instructions whose first operand is a register. */
static void step_register(struct machine *m, uint8_t op)
{
    uint64_t reg = dwarf_uleb(&m->at);

    if (op == CFA_OFFSET_EXTENDED)
        saved_at_cfa(m, reg, factored(m, (int64_t)dwarf_uleb(&m->at)));
    else if (op == CFA_OFFSET_EXTENDED_SF)
        saved_at_cfa(m, reg, factored(m, dwarf_sleb(&m->at)));
    else if (op == CFA_GNU_NEGATIVE_OFFSET)
        saved_at_cfa(m, reg, factored(m, -(int64_t)(dwarf_uleb(&m->at) & INT64_MAX)));
    else if (op == CFA_RESTORE_EXTENDED)
        restore(m, reg);
    else if (op == CFA_UNDEFINED || op == CFA_SAME_VALUE)
        unchanged(m, reg, op == CFA_UNDEFINED);
    else if (op == CFA_REGISTER)
        in_register(m, reg, dwarf_uleb(&m->at));
    else if (op == CFA_DEF_CFA)
        define_cfa(m, reg, (int64_t)dwarf_uleb(&m->at));
    else if (op == CFA_DEF_CFA_SF)
        define_cfa(m, reg, factored(m, dwarf_sleb(&m->at)));
    else if (op == CFA_DEF_CFA_REGISTER)
        define_cfa(m, reg, m->now.rule.cfa_off);
    else if (op == CFA_EXPRESSION)
        saved_by(m, reg, take_block(m));
    else if (op == CFA_VAL_EXPRESSION)
        (void)take_block(m), lost(m, reg);
    else /* CFA_VAL_OFFSET, CFA_VAL_OFFSET_SF: a register's value, from the frame address */
        (void)dwarf_uleb(&m->at), lost(m, reg);
}

static void step(struct machine *m)
{
    uint8_t op = dwarf_u8(&m->at);
    uint8_t operand = op & 0x3f;

    switch (op & 0xc0) {
    case CFA_ADVANCE_LOC:
        advance_factored(m, operand);
        return;
    case CFA_OFFSET:
        saved_at_cfa(m, operand, factored(m, (int64_t)dwarf_uleb(&m->at)));
        return;
    case CFA_RESTORE:
        restore(m, operand);
        return;
    default:
        break;
    }
    switch (op) {
    case CFA_NOP:
        break;
    case CFA_ADVANCE_LOC1:
        advance_factored(m, dwarf_u8(&m->at));
        break;
    case CFA_ADVANCE_LOC2:
        advance_factored(m, dwarf_u16(&m->at));
        break;
    case CFA_ADVANCE_LOC4:
        advance_factored(m, dwarf_u32(&m->at));
        break;
    case CFA_REMEMBER_STATE:
        remember(m);
        break;
    case CFA_RESTORE_STATE:
        recall(m);
        break;
    case CFA_DEF_CFA_OFFSET:
        m->now.rule.cfa_off = narrow(m, (int64_t)dwarf_uleb(&m->at));
        break;
    case CFA_DEF_CFA_OFFSET_SF:
        m->now.rule.cfa_off = narrow(m, factored(m, dwarf_sleb(&m->at)));
        break;
    case CFA_DEF_CFA_EXPRESSION:
        define_cfa_by(m, take_block(m));
        break;
    case CFA_GNU_ARGS_SIZE:
        (void)dwarf_uleb(&m->at);
        break;
    case CFA_AARCH64_NEGATE_RA_STATE:
    case CFA_AARCH64_NEGATE_RA_STATE_WITH_PC:
        m->at.failed |= m->context->registers->link == 0;
        break;
    case CFA_OFFSET_EXTENDED:
    case CFA_RESTORE_EXTENDED:
    case CFA_UNDEFINED:
    case CFA_SAME_VALUE:
    case CFA_REGISTER:
    case CFA_DEF_CFA:
    case CFA_DEF_CFA_REGISTER:
    case CFA_EXPRESSION:
    case CFA_OFFSET_EXTENDED_SF:
    case CFA_DEF_CFA_SF:
    case CFA_VAL_OFFSET:
    case CFA_VAL_OFFSET_SF:
    case CFA_VAL_EXPRESSION:
    case CFA_GNU_NEGATIVE_OFFSET:
        step_register(m, op);
        break;
    default: /* of an unknown length, or DW_CFA_set_loc, which compilers do not write */
        m->at.failed = true;
    }
}

static void run(struct machine *m)
{
    while (!m->at.failed && m->at.at < m->at.end)
        step(m);
}

bool cfi_run_initial(struct dwarf_cursor program, struct cfi_context *context)
{
    struct machine m = { .context = context, .at = program };

    ra_by_call(&m.now, context);
    run(&m);
    context->initial = m.now.rule;
    context->initial_ra = (uint8_t)m.now.ra;
    return !m.at.failed && !m.now.bp_unknown && m.offset == 0;
}

bool cfi_run(struct dwarf_cursor program, const struct cfi_context *context, uint64_t size,
             cfi_fn on_row, void *arg)
{
    struct machine m = {
        .context = context,
        .at = program,
        .size = size,
        .on_row = on_row,
        .arg = arg,
    };

    m.now.rule = context->initial;
    m.now.ra = (enum ra_state)context->initial_ra;
    m.initial = m.now;
    run(&m);

    if (!m.at.failed) {
        advance(&m, 1);
        return true;
    }
    if (m.offset < size)
        on_row(arg, m.offset, &(struct unwind_rule){ .cfa = UNWIND_CFA_UNKNOWN });
    return false;
}
