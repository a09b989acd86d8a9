/* SPDX-License-Identifier: Apache-2.0 */
/* pairs_dsp.c: the inner loops of all products for Cortex-M with DSP extension, in its own instructions. */
#include "products.h"

#if MMQ_PRODUCTS == MMQ_BY_DSP
#pragma GCC diagnostic ignored "-Wunused-parameter" /* of functions that are only assembly */

/* A sum in `r` becomes a byte at `to`, one further on. `t` is overwritten. */
#define MMQ_END(r, multiplier, rounding, shift, to, t) \
    "add " r ", " r ", " r "\n"                        \
    "add " t ", " rounding ", " r ", asr #31\n"        \
    "smmlar " r ", " r ", " multiplier ", " t "\n"     \
    "asr " r ", " r ", " shift "\n"                    \
    "ssat " r ", #8, " r "\n"                          \
    "strb " r ", [" to "], #1\n"

/* Four elements of both rows times those of two columns: sixteen products in fifteen instructions. */
#define MMQ_FOUR                     \
    "ldmia r0!, {r8-r11}\n"          \
    "ldr r12, [r1], #4\n"            \
    "sxtb16 lr, r12\n"               \
    "sxtb16 r12, r12, ror #8\n"      \
    "smlad r4, r8, lr, r4\n"         \
    "smlad r6, r10, lr, r6\n"        \
    "smlad r4, r9, r12, r4\n"        \
    "smlad r6, r11, r12, r6\n"       \
    "ldr r12, [r2], #4\n"            \
    "sxtb16 lr, r12\n"               \
    "sxtb16 r12, r12, ror #8\n"      \
    "smlad r5, r8, lr, r5\n"         \
    "smlad r7, r10, lr, r7\n"        \
    "smlad r5, r9, r12, r5\n"        \
    "smlad r7, r11, r12, r7\n"

/* r0 job, kept on the stack; then r0 pair, r1 and r2 two columns, r3 depth, r4 to r7 sums. */
__attribute__((naked)) void mmq_by_rows(products_t *job) {
    __asm volatile(
        "push {r0, r4-r11, lr}\n"
        "ldr r1, [r0, #24]\n"
        "1:\n"
        "ldr r12, [sp]\n"
        "ldr r2, [r12, #52]\n"
        "cbz r2, 6f\n"
        "ldrsh r5, [r2, #2]\n"
        "ldrsh r4, [r2], #4\n"
        "mov r6, r4\n"
        "mov r7, r5\n"
        "str r2, [r12, #52]\n"
        "b 3f\n"
        "6:\n"
        "ldr r2, [r12, #28]\n"
        "cbz r2, 2f\n"
        "ldrd r4, r5, [r2], #8\n"
        "mov r6, r4\n"
        "mov r7, r5\n"
        "str r2, [r12, #28]\n"
        "b 3f\n"
        "2:\n"
        "ldrd r4, r6, [r12, #32]\n"
        "mov r5, r4\n"
        "mov r7, r6\n"
        "3:\n"
        "ldr r3, [r12, #40]\n"
        "ldr r0, [r12]\n"
        "adds r2, r1, r3\n"
        "tst r3, #4\n"
        "beq 4f\n"
        "adds r3, r3, #4\n"
        "b 5f\n"
        "4:\n"
        MMQ_FOUR
        "5:\n"
        MMQ_FOUR
        "subs r3, r3, #8\n"
        "bne 4b\n"
        "mov r1, r2\n"
        "ldr r12, [sp]\n"
        "ldmia r12, {r0, r8-r11, lr}\n"
        MMQ_END("r4", "r8", "r9", "r10", "r11", "r3")
        MMQ_END("r5", "r8", "r9", "r10", "r11", "r3")
        MMQ_END("r6", "r8", "r9", "r10", "lr", "r3")
        MMQ_END("r7", "r8", "r9", "r10", "lr", "r3")
        "strd r11, lr, [r12, #16]\n"
        "ldr r3, [r12, #44]\n"
        "subs r3, r3, #2\n"
        "str r3, [r12, #44]\n"
        "bne 1b\n"
        "str r1, [r12, #24]\n"
        "pop {r0, r4-r11, pc}\n");
}

#define MMQ_COLUMN               \
    "ldr r12, [r1]\n"            \
    "ldr r3, [r0], #4\n"         \
    "sxtb16 lr, r12\n"           \
    "sxtb16 r12, r12, ror #8\n"  \
    "add r1, r1, r2\n"           \
    "smlabb r4, lr, r3, r4\n"    \
    "smlatb r6, lr, r3, r6\n"    \
    "smlabb r5, r12, r3, r5\n"   \
    "smlatb r7, r12, r3, r7\n"   \
    "smlabt r8, lr, r3, r8\n"    \
    "smlatt r10, lr, r3, r10\n"  \
    "smlabt r9, r12, r3, r9\n"   \
    "smlatt r11, r12, r3, r11\n"

/* r0 job, kept on the stack, and behind it how many rows are left; then r0 pair, r1 matrix, r2 width, r4 to r11 sums. */
__attribute__((naked)) void mmq_by_columns(products_t *job) {
    __asm volatile(
        "push {r0, r1, r4-r11, lr}\n"
        "1:\n"
        "ldr r12, [sp]\n"
        "ldr r0, [r12]\n"
        "ldr r1, [r12, #24]\n"
        "add r3, r1, #4\n"
        "str r3, [r12, #24]\n"
        "ldrd r4, r8, [r12, #32]\n"
        "mov r5, r4\n"
        "mov r6, r4\n"
        "mov r7, r4\n"
        "mov r9, r8\n"
        "mov r10, r8\n"
        "mov r11, r8\n"
        "ldr r2, [r12, #48]\n"
        "ldr r3, [r12, #40]\n"
        "2:\n"
        "subs r3, r3, #4\n"
        "blo 3f\n"
        "str r3, [sp, #4]\n"
        MMQ_COLUMN MMQ_COLUMN MMQ_COLUMN MMQ_COLUMN
        "ldr r3, [sp, #4]\n"
        "b 2b\n"
        "3:\n"
        "adds r3, r3, #4\n"
        "4:\n"
        "beq 5f\n"
        "str r3, [sp, #4]\n"
        MMQ_COLUMN
        "ldr r3, [sp, #4]\n"
        "subs r3, r3, #1\n"
        "b 4b\n"
        "5:\n"
        "ldr r12, [sp]\n"
        "ldmia r12, {r0-r3, lr}\n"
        MMQ_END("r4", "r1", "r2", "r3", "lr", "r0")
        MMQ_END("r5", "r1", "r2", "r3", "lr", "r0")
        MMQ_END("r6", "r1", "r2", "r3", "lr", "r0")
        MMQ_END("r7", "r1", "r2", "r3", "lr", "r0")
        "str lr, [r12, #16]\n"
        "ldr lr, [r12, #20]\n"
        MMQ_END("r8", "r1", "r2", "r3", "lr", "r0")
        MMQ_END("r9", "r1", "r2", "r3", "lr", "r0")
        MMQ_END("r10", "r1", "r2", "r3", "lr", "r0")
        MMQ_END("r11", "r1", "r2", "r3", "lr", "r0")
        "str lr, [r12, #20]\n"
        "ldr r3, [r12, #44]\n"
        "subs r3, r3, #4\n"
        "str r3, [r12, #44]\n"
        "bne 1b\n"
        "pop {r0, r1, r4-r11, pc}\n");
}
#endif
