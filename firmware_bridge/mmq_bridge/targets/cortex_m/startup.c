/* SPDX-License-Identifier: Apache-2.0 */
/* startup.c: vectors, memory, floating point, and a fault handler that turns any crash into exit code 99.
 * For QEMU with semihosting (newlib's rdimon); a product has its own start-up code. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define CPACR (*(volatile uint32_t *)0xE000ED88u)

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[], stack_top[], stack_limit[];
extern char end[], ram_end[];
extern void initialise_monitor_handles(void);
extern int main(void);
void reset(void);
void fault(void);
void systick(void);

/* Angel calls: 4 writes a text, 0x20 exits with a code. */
__attribute__((used)) static const char fault_text[] = "fault: the program crashed\n";
__attribute__((used)) static const uint32_t fault_exit[2] = {0x20026u, 99u};

/* The stack may be what broke: take a new one, and need none. */
__attribute__((naked, noreturn)) void fault(void) {
    __asm volatile("ldr r0, =stack_top\n"
                   "msr msp, r0\n"
                   "movs r0, #4\n"
                   "ldr r1, =fault_text\n"
                   "bkpt 0xab\n"
                   "movs r0, #0x20\n"
                   "ldr r1, =fault_exit\n"
                   "bkpt 0xab\n"
                   "b .\n"
                   ".ltorg\n");
}

/* Whoever counts with SysTick has its own. */
__attribute__((weak)) void systick(void) { fault(); }

__attribute__((noreturn)) static void start(void) {
    for (uint32_t *to = data_start, *from = data_load; to < data_end;) *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
    initialise_monitor_handles();
    exit(main());
}

__attribute__((noreturn)) void reset(void) {
    CPACR |= 0xFu << 20; /* floating point on */
#if __ARM_ARCH >= 8
    __asm volatile("msr msplim, %0" ::"r"(stack_limit));
#endif
    __asm volatile("dsb\nisb" ::: "memory");
    start();
}

/* newlib's own takes the stack, which lies below the heap here, for the heap's limit. */
void *_sbrk(ptrdiff_t bytes);
void *_sbrk(ptrdiff_t bytes) {
    static char *top = end;
    char *old = top;
    if (bytes > ram_end - top) return (void *)-1;
    top += bytes;
    return old;
}

/* newlib's exit runs these; there is nothing to tidy up. */
void _init(void);
void _fini(void);
void _init(void) {}
void _fini(void) {}

#define TIMES_13(f) f, f, f, f, f, f, f, f, f, f, f, f, f
__attribute__((section(".vectors"), used)) void (*const vectors[16])(void) = {
    (void (*)(void))(uintptr_t)stack_top, reset, TIMES_13(fault), systick};
