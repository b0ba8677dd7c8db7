import { DW_AT, DW_ATE, DW_TAG } from '../dwarf/constants.js';
import type { Die } from '../dwarf/die.js';
import { expressionAt } from '../dwarf/locationLists.js';
import { evaluateLocation, evaluateValue } from '../dwarf/stackMachine.js';
import type { ExpressionEnvironment } from '../dwarf/stackMachine.js';
import { Unavailable } from '../dwarf/stackTypes.js';
import type { StackType } from '../dwarf/stackTypes.js';
import type { Unit } from '../dwarf/unit.js';
import type { MachineContext } from './machineContext.js';
import { memoryOf, registerOf } from './unwinder.js';
import type { Unwinder } from './unwinder.js';

/** What the location of a variable may need besides its own frame. */
export interface FrameServices {
  readonly unwinder: Unwinder;
  /** The entry of the function that has code at an address. */
  functionDieAt(address: bigint): Die | undefined;
}

/** An entry value may depend on the caller's own entry values, and so on; a damaged stack could go on for ever. */
const MAX_CALLERS = 32;

/** The surroundings of an expression in one frame of the stopped machine. */
export class FrameEnvironment implements ExpressionEnvironment {
  readonly addressSize: number;

  constructor(
    private readonly services: FrameServices,
    private readonly unit: Unit,
    private readonly functionDie: Die | undefined,
    private readonly address: bigint,
    private readonly machine: MachineContext,
    private readonly depth = 0,
  ) {
    this.addressSize = unit.header.addressSize;
  }

  register(dwarfNumber: number): bigint {
    return registerOf(this.machine, dwarfNumber);
  }

  readMemory(address: bigint, size: number): Uint8Array {
    return memoryOf(this.machine, address, size);
  }

  cfa(): bigint {
    const cfa = this.machine.cfa ?? this.services.unwinder.cfa(this.address, this.machine);
    if (cfa === undefined) {
      throw new Unavailable('no call frame information here');
    }
    return cfa;
  }

  frameBase(): bigint {
    const expression = this.functionDie && expressionAt(this.functionDie, DW_AT.frame_base, this.address);
    if (expression === undefined) {
      throw new Unavailable('the function has no frame base here');
    }
    const place = evaluateLocation(expression, this);
    switch (place.kind) {
      case 'register':
        return this.register(place.register);
      case 'memory':
        return place.address;
      case 'value':
        return place.value;
      default:
        throw new Unavailable(
          place.kind === 'optimizedOut' ? place.reason : 'the frame base is not one address',
        );
    }
  }

  /** The caller's call site says what it passed (DWARF 5 3.4.2). */
  entryValue(expression: Uint8Array): bigint {
    const caller = this.services.unwinder.unwind(this.address, this.machine);
    if (caller === undefined || this.depth === MAX_CALLERS) {
      throw new Unavailable('the value at entry of the function is lost');
    }
    const callerAddress = caller.returnAddress - 1n;
    const callerDie = this.services.functionDieAt(callerAddress);
    const site = callerDie && findCallSite(callerDie, caller.returnAddress);
    if (site === undefined) {
      throw new Unavailable(
        'the value at entry of the function is lost: the caller does not record the call',
      );
    }
    const machine: MachineContext = {
      register: (dwarfNumber) => caller.registers.get(dwarfNumber),
      cfa: undefined,
      readMemory: (address, length) => this.machine.readMemory(address, length),
      bits: this.machine.bits,
    };
    const { services, depth } = this;
    const environment = new FrameEnvironment(
      services,
      site.unit,
      callerDie,
      callerAddress,
      machine,
      depth + 1,
    );
    const parameter = site
      .childrenTagged(DW_TAG.call_site_parameter, DW_TAG.GNU_call_site_parameter)
      .find((child) => sameBytes(child.block(DW_AT.location), expression));
    const value = parameter?.block(DW_AT.call_value) ?? parameter?.block(DW_AT.GNU_call_site_value);
    if (value === undefined || !this.isCallOfThis(site, environment)) {
      throw new Unavailable('the value at entry of the function is lost: the caller does not record it');
    }
    return evaluateValue(value, environment);
  }

  indexedAddress(index: number): bigint {
    return this.unit.address(index);
  }

  baseType(unitOffset: number): StackType {
    const die = this.unit.dieAt(this.unit.header.offset + unitOffset);
    const encoding = die?.number(DW_AT.encoding);
    const size = die?.number(DW_AT.byte_size);
    if (size === undefined || encoding === DW_ATE.float || encoding === DW_ATE.complex_float) {
      throw new Unavailable('a location computed with floating point is not supported');
    }
    return { size, signed: encoding === DW_ATE.signed || encoding === DW_ATE.signed_char, generic: false };
  }

  /** False when the caller called another function, which then jumped to this one: its registers are not those at entry. */
  private isCallOfThis(site: Die, callerEnvironment: FrameEnvironment): boolean {
    const origin = site.reference(DW_AT.call_origin) ?? site.reference(DW_AT.abstract_origin);
    if (origin !== undefined && this.functionDie !== undefined) {
      const ours = [...this.functionDie.origins()];
      // Between units the call names a declaration, which only its name ties to the function.
      return (
        ours.some(({ offset }) => offset === origin.offset) ||
        (origin.flag(DW_AT.declaration) && origin.name === this.functionDie.name)
      );
    }
    const target = site.block(DW_AT.call_target) ?? site.block(DW_AT.GNU_call_site_target);
    return (
      target !== undefined &&
      evaluateValue(target, callerEnvironment) === this.functionDie?.address(DW_AT.low_pc)
    );
  }
}

function findCallSite(die: Die, returnAddress: bigint): Die | undefined {
  for (const child of die.children) {
    if (child.tag === DW_TAG.call_site || child.tag === DW_TAG.GNU_call_site) {
      const address = child.address(DW_AT.call_return_pc) ?? child.address(DW_AT.low_pc);
      if (address === returnAddress) {
        return child;
      }
    } else if (child.tag === DW_TAG.lexical_block || child.tag === DW_TAG.inlined_subroutine) {
      const found = findCallSite(child, returnAddress);
      if (found !== undefined) {
        return found;
      }
    }
  }
  return undefined;
}

function sameBytes(left: Uint8Array | undefined, right: Uint8Array): boolean {
  return (
    left !== undefined && left.length === right.length && left.every((byte, index) => byte === right[index])
  );
}
