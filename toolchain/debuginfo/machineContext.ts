/** What the debug information may ask of a stopped machine, in one frame of its stack. */
export interface MachineContext {
  /** The register with this DWARF number (System V ABI, figure 3.36), unsigned; undefined when its value is lost. */
  register(dwarfNumber: number): bigint | undefined;
  /** The canonical frame address, when the caller knows it; otherwise it is computed from the call frame information. */
  readonly cfa: bigint | undefined;
  /** The bytes at a virtual address; undefined when any of them cannot be read. */
  readMemory(address: bigint, length: number): Uint8Array | undefined;
  readonly bits: 32 | 64;
}
