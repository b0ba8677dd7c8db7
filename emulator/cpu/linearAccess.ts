/** Linear memory for TypeScript: cold instructions and event delivery. */
import type { Fault } from './fault.js';
import type { LinearAccess } from './seams.js';
import { Access } from './seams.js';
import type { LinearMemory } from './state.js';
import type { PagedMemory } from './memorySystem.js';

type Size = 1 | 2 | 4 | 8;

/** Low and high int32 half of a linear address. */
export const lowHalf = (linear: bigint): number => Number(BigInt.asIntN(32, linear));
export const highHalf = (linear: bigint): number => Number(BigInt.asIntN(32, linear >> 32n));

export class PagedLinearAccess implements LinearAccess {
  constructor(
    private readonly memory: LinearMemory,
    private readonly system: PagedMemory,
  ) {}

  read(linear: bigint, size: Size, supervisor = false, stack = false): bigint | Fault | 'exited' {
    const operand = this.prepare(linear, size, Access.READ, supervisor, stack);
    if (typeof operand !== 'number') return operand;
    const { view } = this.memory;
    if (size === 8) return view.getBigUint64(operand, true);
    if (size === 4) return BigInt(view.getUint32(operand, true));
    return BigInt(size === 2 ? view.getUint16(operand, true) : view.getUint8(operand));
  }

  write(
    linear: bigint,
    size: Size,
    value: bigint,
    supervisor = false,
    stack = false,
  ): undefined | Fault | 'exited' {
    const operand = this.prepare(linear, size, Access.WRITE, supervisor, stack);
    if (typeof operand !== 'number') return operand;
    const { view } = this.memory;
    if (size === 8) view.setBigUint64(operand, value, true);
    else if (size === 4) view.setUint32(operand, Number(BigInt.asUintN(32, value)), true);
    else if (size === 2) view.setUint16(operand, Number(BigInt.asUintN(16, value)), true);
    else view.setUint8(operand, Number(BigInt.asUintN(8, value)));
    this.system.commit();
    return undefined;
  }

  /** Offset in the linear memory of the machine of an operand that may be accessed. */
  prepare(
    linear: bigint,
    size: number,
    access: number,
    supervisor = false,
    stack = false,
  ): number | Fault | 'exited' {
    const how = access | (supervisor ? Access.SUPERVISOR : 0) | (stack ? Access.STACK : 0);
    const operand = this.system.prepare(lowHalf(linear), highHalf(linear), size, how);
    if (operand !== 0) return operand;
    return this.system.exited ? 'exited' : this.system.fault!;
  }
}
