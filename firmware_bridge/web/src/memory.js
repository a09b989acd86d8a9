// SPDX-License-Identifier: Apache-2.0
// memory.js: the C core in WebAssembly with a memory of its own, out of which room is given and never taken back.
const PAGE_BYTES = 65536;
const ALIGNMENT = 16;
const OK = 0;

export class Memory {
  #top;

  /** `module` is core.wasm compiled. */
  constructor(module) {
    this.core = new WebAssembly.Instance(module).exports;
    this.core._initialize?.();
    this.#top = this.core.__heap_base.value;
  }

  get buffer() {
    return this.core.memory.buffer;
  }

  /** The address of so many new bytes. */
  reserve(bytes) {
    const address = Math.ceil(this.#top / ALIGNMENT) * ALIGNMENT;
    this.#top = address + bytes;
    const missing = this.#top - this.buffer.byteLength;
    if (missing > 0) this.core.memory.grow(Math.ceil(missing / PAGE_BYTES));
    return address;
  }

  /** The address of a copy of an array. */
  place(values) {
    const address = this.reserve(values.byteLength);
    this.write(address, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return address;
  }

  write(address, bytes) {
    new Uint8Array(this.buffer, address, bytes.length).set(bytes);
  }

  /** A copy of bytes at an address. */
  read(address, length) {
    return new Uint8Array(this.buffer, address, length).slice();
  }

  /** The 32-bit word at an address. */
  word(address) {
    return new Uint32Array(this.buffer, address, 1)[0];
  }

  /** A text of the core. */
  text(address) {
    const bytes = new Uint8Array(this.buffer, address);
    return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
  }

  /** Throw what a status means, in the core's words, as an error of some kind. */
  check(status, what, Kind) {
    if (status !== OK) throw new Kind("status", { what, status, sentence: this.text(this.core.mmq_status_sentence(status)) });
  }
}
