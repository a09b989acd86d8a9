/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for Arduino.h: a clock that goes 7.8 ms further each time it is asked. */
#ifndef ARDUINO_H
#define ARDUINO_H
#include <stdio.h>
#include <stdlib.h>
struct StandInSerial {
    void begin(unsigned long) {}
    void println(const char *line) { puts(line); }
};
static StandInSerial Serial;
static inline void delay(unsigned long) { exit(3); }
static inline unsigned long micros() {
    static unsigned long now;
    if (now >= 150000000UL + 15625UL) exit(0);
    return now += 7812UL;
}
void setup();
void loop();
int main() {
    setup();
    for (;;) loop();
}
#endif
