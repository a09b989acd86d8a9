// SPDX-License-Identifier: Apache-2.0
// FakeSensor: made-up sensors into queues, decisions to the serial monitor.
#include <Arduino.h>

#include "app.h"

#if defined(ARDUINO_ARCH_MBED)
#include <mbed.h>
static mbed::Ticker ticker; // its function runs in an interrupt
#endif

static char line[120];

void setup() {
    Serial.begin(115200);
    if (app_start()) {
        Serial.println("the parts of this library do not fit together");
        for (;;) delay(1000);
    }
#if defined(ARDUINO_ARCH_MBED)
    ticker.attach(mbed::callback(app_interrupt), std::chrono::microseconds(1000000 / APP_TICKS_PER_S));
#endif
}

void loop() {
#if !defined(ARDUINO_ARCH_MBED)
    // No timer interrupt that all other boards have: use your board's, or a sensor's data-ready pin and attachInterrupt().
    static unsigned long last_us = micros();
    while (micros() - last_us >= 1000000UL / APP_TICKS_PER_S) {
        last_us += 1000000UL / APP_TICKS_PER_S;
        app_interrupt();
    }
#endif
    if (app_loop(line, sizeof line)) Serial.println(line);
}
