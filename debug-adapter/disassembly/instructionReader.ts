/** Decoded instructions of a code space, one at an address. */
import type { Instruction } from 'iced-x86';
import { Decoder, DecoderOptions, Formatter, FormatterSyntax, OpKind } from 'iced-x86';
import type { CodeSpace } from './codeSpace.js';
import { symbolicAddress } from './symbols.js';

/** One line of a disassembly. */
export interface InstructionRow {
  readonly address: bigint;
  /** Empty where nothing is mapped: then one address is one row. */
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly isValid: boolean;
}

/** SDM 2A 2.3.11. */
const LONGEST_INSTRUCTION = 15;
const WINDOW = 1024;
const UNMAPPED = '??';
const NEAR_BRANCHES: readonly OpKind[] = [OpKind.NearBranch16, OpKind.NearBranch32, OpKind.NearBranch64];

/** Holds objects of iced's WebAssembly: call `dispose` when done. */
export class InstructionReader {
  private readonly formatter = createFormatter();
  private window:
    { readonly start: bigint; readonly bytes: Uint8Array; readonly decoder: Decoder } | undefined;

  constructor(private readonly space: CodeSpace) {}

  dispose(): void {
    this.window?.decoder.free();
    this.formatter.free();
  }

  /** The row at an address. An instruction that would reach beyond `limit` is one byte of data instead. */
  rowAt(address: bigint, limit?: bigint): InstructionRow {
    return this.decode(address, limit, (instruction) => this.format(instruction));
  }

  /** Bytes that the row at an address takes; cheaper than the row. */
  lengthAt(address: bigint, limit?: bigint): number {
    return this.decode(address, limit, () => '').bytes.length || 1;
  }

  private decode(
    address: bigint,
    limit: bigint | undefined,
    textOf: (instruction: Instruction) => string,
  ): InstructionRow {
    const window = this.windowAt(address);
    const offset = Number(address - window.start);
    if (offset >= window.bytes.length) {
      return { address, bytes: new Uint8Array(), text: UNMAPPED, isValid: false };
    }
    const { decoder } = window;
    decoder.position = offset;
    decoder.ip = address;
    const instruction = decoder.decode();
    try {
      const fits = limit === undefined || address + BigInt(instruction.length) <= limit;
      const isValid = !instruction.isInvalid && fits;
      const length = isValid ? instruction.length : 1;
      const bytes = window.bytes.slice(offset, offset + length);
      const text = isValid ? textOf(instruction) : `.byte 0x${bytes[0].toString(16).padStart(2, '0')}`;
      return { address, bytes, text, isValid };
    } finally {
      instruction.free();
    }
  }

  private windowAt(address: bigint) {
    const { window } = this;
    const left = window ? window.start + BigInt(window.bytes.length) - address : 0n;
    if (window && address >= window.start && left >= LONGEST_INSTRUCTION) return window;
    const bytes = address < 0n ? new Uint8Array() : this.space.read(address, WINDOW);
    window?.decoder.free();
    this.window = {
      start: address,
      bytes,
      decoder: new Decoder(this.space.bits, bytes, DecoderOptions.None),
    };
    return this.window;
  }

  /** Branch targets and RIP-relative operands with the symbol they name, as objdump writes them. */
  private format(instruction: Instruction): string {
    const text = this.formatter.format(instruction);
    const isBranch = NEAR_BRANCHES.includes(instruction.op0Kind);
    if (!isBranch && !instruction.isIpRelMemoryOperand) return text;
    const target = isBranch ? instruction.nearBranchTarget : instruction.ipRelMemoryAddress;
    const symbol = symbolicAddress(this.space, target);
    if (isBranch) return symbol ? `${text} <${symbol}>` : text;
    return `${text} # 0x${target.toString(16)}${symbol ? ` <${symbol}>` : ''}`;
  }
}

function createFormatter(): Formatter {
  const formatter = new Formatter(FormatterSyntax.Gas);
  formatter.spaceAfterOperandSeparator = true;
  formatter.uppercaseHex = false;
  formatter.branchLeadingZeros = false;
  formatter.ripRelativeAddresses = true;
  return formatter;
}

/** `0f 01 c1` */
export function bytesText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
