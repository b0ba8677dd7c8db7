/** The CPU state by name, over the bytes that the interpreter works on. */
import type { Field32, Field64, GeneralRegister } from './layout.js';
import { GENERAL_REGISTERS, layout, region, stateFields } from './layout.js';

export const PAGE_SIZE = 4096;

/** Typed views of the machine's linear memory. The memory never grows, so the views stay valid. */
export class LinearMemory {
  readonly wasm: WebAssembly.Memory;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly u64: BigUint64Array;
  readonly view: DataView;

  /** @param ramSize bytes of RAM from physical address 0; a multiple of 64 KiB, at most 3.5 GiB. */
  constructor(readonly ramSize: number) {
    if (ramSize % 0x1_0000 !== 0 || ramSize > 3.5 * 2 ** 30 || ramSize <= 0) {
      throw new RangeError(`memory size ${ramSize} is not a multiple of 64 KiB up to 3.5 GiB`);
    }
    const pages = (region.ram + ramSize) / 0x1_0000;
    this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const buffer = this.wasm.buffer;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.view = new DataView(buffer);
  }
}

type Fields = { -readonly [Name in Field64]: bigint } & { -readonly [Name in Field32]: number };

/**
 * Every field of the layout table as a property: 64-bit fields are unsigned bigints, 32-bit fields unsigned numbers.
 * Writes are cut to the field's width.
 */
export type ProcessorState = Fields & {
  /** General register by encoding number 0-15. */
  gpr(index: number): bigint;
  setGpr(index: number, value: bigint): void;
};

/** Makes the named view of the CPU state in `memory`. */
export function createProcessorState(memory: LinearMemory): ProcessorState {
  const state = {
    gpr: (index: number) => memory.u64[(layout.rax >> 3) + index],
    setGpr: (index: number, value: bigint) => {
      memory.u64[(layout.rax >> 3) + index] = value;
    },
  };
  for (const { name, width } of stateFields) {
    const offset = layout[name];
    const index = width === 8 ? offset >> 3 : offset >> 2;
    const words: { [index: number]: bigint | number } = width === 8 ? memory.u64 : memory.u32;
    Object.defineProperty(state, name, {
      enumerable: true,
      get: () => words[index],
      set: (value: bigint | number) => {
        words[index] = value;
      },
    });
  }
  return state as ProcessorState;
}

/** Encoding number of a general register. */
export const gprIndex = (name: GeneralRegister): number => GENERAL_REGISTERS.indexOf(name);
