/* SPDX-License-Identifier: Apache-2.0 */
/* ticks.h: count instructions and stack on an emulated Cortex-M (QEMU -icount). Include it in the file with main().
 *
 * SysTick is a 24-bit counter: an interrupt counts how often it wraps. */
#ifndef MMQ_TICKS_H
#define MMQ_TICKS_H

#include <stdint.h>
#include <stdio.h>

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define ICSR (*(volatile uint32_t *)0xE000ED04u)
#define ICSR_PENDSTSET (1u << 26)
#define WRAP 0x1000000u
#define PAINT 0xA5A5A5A5u
#define CALIBRATION 100000u

extern uint32_t stack_limit[], stack_top[];
void systick(void);

static volatile uint32_t wraps;
static uint32_t overhead, handler; /* ticks of reading the counter, and of its interrupt */
static const uint32_t *caller; /* stack of whoever calls the bridge */

void systick(void) { wraps++; }

static uint64_t now(void) {
    for (;;) {
        const uint32_t before = wraps, left = SYST_CVR;
        if (before == wraps && !(ICSR & ICSR_PENDSTSET)) return (uint64_t)before * WRAP + (WRAP - 1u - left);
    }
}

/* n times two instructions */
static void spin(uint32_t n) { __asm volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(n)::"cc"); }

/* The same, when the counter stands at a multiple of 8 ticks, which are 5 instructions on a Cortex-M3 or M4 board: what
 * is counted from there repeats exactly. Five tries alike meet it, unless their length is a multiple of 5: then the next
 * five do. Boards with another clock may never meet it, and do without. */
static uint64_t aligned(void) {
    for (uint32_t tries = 0;; tries++) {
        const uint64_t ticks = now();
        if (ticks % 8u == 0 || tries == 64u) return ticks;
        spin(1u + tries / 5u % 5u);
    }
}

static uint32_t between(uint64_t start, uint64_t end) {
    return (uint32_t)(end - start) - overhead - handler * (uint32_t)(end / WRAP - start / WRAP);
}

/* Ticks of a write to the interrupt controller; with PENDSTSET, of the interrupt too. */
static uint32_t ticks_of_pending(uint32_t bits) {
    const uint64_t start = aligned();
    ICSR = bits;
    __asm volatile("dsb\nisb" ::: "memory");
    return (uint32_t)(now() - start);
}

static void calibrate(void) {
    const uint64_t start = aligned();
    overhead = (uint32_t)(now() - start);
    handler = ticks_of_pending(ICSR_PENDSTSET) - WRAP - ticks_of_pending(0); /* it counted a wrap that was none */
}

static uint32_t ticks_of_spin(uint32_t n) {
    const uint64_t start = aligned();
    spin(n);
    return between(start, now());
}

/* Paint the stack below, to see later how far it was used. */
static void paint(void) {
    uint32_t *end = (uint32_t *)__builtin_frame_address(0) - 16;
    for (volatile uint32_t *at = stack_limit; at < end; at++) *at = PAINT;
}

static uint32_t stack_used(void) {
    const uint32_t *at = stack_limit;
    while (at < caller && *at == PAINT) at++;
    return (uint32_t)((const char *)caller - (const char *)at);
}

/* Start the counter, and print what an instruction takes. */
static void begin_counting(void) {
    uint32_t once, twice, repeat;
    SYST_RVR = WRAP - 1u;
    SYST_CVR = 0;
    SYST_CSR = 7; /* enable, interrupt, processor clock */
    calibrate();
    once = ticks_of_spin(CALIBRATION);
    twice = ticks_of_spin(2 * CALIBRATION);
    repeat = ticks_of_spin(CALIBRATION);
    printf("calibration instructions=%lu ticks=%lu repeat=%ld overhead=%lu handler=%lu\n",
           (unsigned long)(2 * CALIBRATION), (unsigned long)(twice - once), (long)repeat - (long)once,
           (unsigned long)overhead, (unsigned long)handler);
}

#endif
