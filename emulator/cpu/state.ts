/** The CPU state by name, over the bytes that the interpreter works on. */
import type { Field32, Field64, GeneralRegister, SegmentName } from './layout.js';
import { GENERAL_REGISTERS, layout, region, SEGMENTS, stateFields } from './layout.js';

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

/** A segment register by its parts: the same bytes as the fields of its name. */
export interface SegmentRegister {
  selector: number;
  base: bigint;
  limit: number;
  /** Access rights in the format of the VMCS. */
  access: number;
}

/**
 * Every field of the layout table as a property: 64-bit fields are unsigned bigints, 32-bit fields unsigned numbers.
 * Writes are cut to the field's width.
 */
export type ProcessorState = Fields & {
  /** General register by encoding number 0-15. */
  gpr(index: number): bigint;
  setGpr(index: number, value: bigint): void;
  /** Segment registers, LDTR and TR by name. */
  readonly segments: Readonly<Record<SegmentName, SegmentRegister>>;
};

/** Makes the named view of the CPU state in `memory`. */
export function createProcessorState(memory: LinearMemory): ProcessorState {
  const state = {
    gpr: (index: number) => memory.u64[(layout.rax >> 3) + index],
    setGpr: (index: number, value: bigint) => {
      memory.u64[(layout.rax >> 3) + index] = value;
    },
    segments: Object.fromEntries(SEGMENTS.map((name) => [name, new SegmentView(memory, name)])),
  };
  for (const { name, width } of stateFields) {
    const view = width === 8 ? field64(memory, layout[name]) : field32(memory, layout[name]);
    Object.defineProperty(state, name, { enumerable: true, ...view });
  }
  return state as unknown as ProcessorState;
}

// One function for each width: shared accessors would see both kinds of array and be slow for both.
const field64 = ({ u64 }: LinearMemory, offset: number) => ({
  get: () => u64[offset >> 3],
  set: (value: bigint) => {
    u64[offset >> 3] = value;
  },
});
const field32 = ({ u32 }: LinearMemory, offset: number) => ({
  get: () => u32[offset >> 2],
  set: (value: number) => {
    u32[offset >> 2] = value;
  },
});

class SegmentView implements SegmentRegister {
  private readonly selectorIndex: number;
  private readonly baseIndex: number;
  private readonly limitIndex: number;
  private readonly accessIndex: number;

  constructor(
    private readonly memory: LinearMemory,
    name: SegmentName,
  ) {
    this.selectorIndex = layout[`${name}Selector`] >> 2;
    this.baseIndex = layout[`${name}Base`] >> 3;
    this.limitIndex = layout[`${name}Limit`] >> 2;
    this.accessIndex = layout[`${name}Access`] >> 2;
  }

  get selector(): number {
    return this.memory.u32[this.selectorIndex];
  }
  set selector(value: number) {
    this.memory.u32[this.selectorIndex] = value;
  }
  get base(): bigint {
    return this.memory.u64[this.baseIndex];
  }
  set base(value: bigint) {
    this.memory.u64[this.baseIndex] = value;
  }
  get limit(): number {
    return this.memory.u32[this.limitIndex];
  }
  set limit(value: number) {
    this.memory.u32[this.limitIndex] = value;
  }
  get access(): number {
    return this.memory.u32[this.accessIndex];
  }
  set access(value: number) {
    this.memory.u32[this.accessIndex] = value;
  }
}

/** Encoding number of a general register. */
export const gprIndex = (name: GeneralRegister): number => GENERAL_REGISTERS.indexOf(name);
