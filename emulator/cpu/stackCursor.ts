/** Pushes and pops of far transfers and event delivery, on a stack that becomes current only when all went well. */
import { cut, withinLimit } from './cold/operands.js';
import type { AccessSize, Failure } from './cold/operands.js';
import { stackFault } from './fault.js';
import { SegmentAccess, is64BitMode, stackAddressSize } from './registerBits.js';
import type { Processor } from './seams.js';

/** The stack segment: in 64-bit mode only its presence as a flat segment matters. */
export interface StackSegment {
  readonly base: bigint;
  readonly limit: number;
  readonly access: number;
}

export class StackCursor {
  /** @param pointerSize bytes of rSP that count. @param errorCode of #SS when the limit is passed. */
  constructor(
    private readonly processor: Processor,
    private readonly segment: StackSegment,
    public pointer: bigint,
    readonly pointerSize: 2 | 4 | 8,
    private readonly supervisor: boolean,
    private readonly errorCode: number,
  ) {}

  /** The stack in use, at the CPL in use. */
  static current(processor: Processor, errorCode = 0): StackCursor {
    const { state } = processor;
    const segment = { base: state.ssBase, limit: state.ssLimit, access: state.ssAccess };
    const size = stackAddressSize(state);
    return new StackCursor(processor, segment, cut(state.rsp, size), size, false, errorCode);
  }

  push(value: bigint, size: AccessSize): Failure | undefined {
    const next = cut(this.pointer - BigInt(size), this.pointerSize);
    const linear = this.linear(next, size);
    if (typeof linear !== 'bigint') return linear;
    const failure = this.processor.linear.write(linear, size, value, this.supervisor, true);
    if (failure === undefined) this.pointer = next;
    return failure;
  }

  pop(size: AccessSize): bigint | Failure {
    const linear = this.linear(this.pointer, size);
    if (typeof linear !== 'bigint') return linear;
    const value = this.processor.linear.read(linear, size, this.supervisor, true);
    if (typeof value === 'bigint') this.release(size);
    return value;
  }

  /** Moves the pointer up without reading. */
  release(bytes: number): void {
    this.pointer = cut(this.pointer + BigInt(bytes), this.pointerSize);
  }

  private linear(offset: bigint, size: number): bigint | Failure {
    if (this.pointerSize === 8) return offset;
    const { access, limit, base } = this.segment;
    const usable = (access & SegmentAccess.UNUSABLE) === 0;
    if (!usable || !withinLimit(access, limit, offset, size)) return stackFault(this.errorCode);
    return cut(base + offset, 4);
  }

  /** Makes the pointer current: the part of RSP beyond its size stays, except that ESP clears the upper half. */
  commit(): void {
    const { state } = this.processor;
    if (this.pointerSize === 2 && !is64BitMode(state)) {
      state.rsp = (state.rsp & ~0xffffn) | this.pointer;
    } else {
      state.rsp = this.pointer;
    }
  }
}
