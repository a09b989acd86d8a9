# SPDX-License-Identifier: Apache-2.0
# Cortex-M4F with arm-none-eabi-gcc (Debian: gcc-arm-none-eabi libnewlib-arm-none-eabi). The libraries suit any M4F;
# mmq_example.elf is for the board mps2-an386 of qemu-system-arm, where printf and files go through semihosting:
#   cmake -S mmq_bridge -B build-m4f -DCMAKE_TOOLCHAIN_FILE=cortex_m4f/toolchain.cmake && cmake --build build-m4f
#   qemu-system-arm -M mps2-an386 -nographic -semihosting-config enable=on,target=native -kernel build-m4f/mmq_example.elf
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_EXECUTABLE_SUFFIX_C .elf)

set(CMAKE_C_FLAGS_INIT
  "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard -ffunction-sections -fdata-sections")
set(CMAKE_EXE_LINKER_FLAGS_INIT
  "-nostartfiles --specs=nano.specs --specs=rdimon.specs -L${CMAKE_CURRENT_LIST_DIR} -T an386.ld -Wl,--gc-sections")
