import { PT } from '../../elf/constants.js';
import { ElfFile } from '../../elf/elfFile.js';
import type { MachineContext } from '../../debuginfo/machineContext.js';

/** struct elf_prstatus of Linux: where pr_reg begins, and its order (asm/user_64.h), as DWARF register numbers. */
const PR_REG = 112;
const NT_PRSTATUS = 1;
const USER_REGS: readonly (number | undefined)[] = [
  15,
  14,
  13,
  12,
  6,
  3,
  11,
  10,
  9,
  8,
  0,
  2,
  1,
  4,
  5,
  undefined,
  16,
  undefined,
  undefined,
  7,
];

/** The stopped process of a Linux core file; what the core leaves out is read from the program itself. */
export function machineOfCore(coreBytes: Uint8Array, programBytes: Uint8Array): MachineContext {
  const core = new ElfFile(coreBytes);
  const files = [core, new ElfFile(programBytes)];
  const status = core.notes.find(({ type, owner }) => type === NT_PRSTATUS && owner === 'CORE')!.description;
  const view = new DataView(status.buffer, status.byteOffset, status.length);
  const registers = new Map<number, bigint>();
  for (const [index, dwarfNumber] of USER_REGS.entries()) {
    if (dwarfNumber !== undefined) {
      registers.set(dwarfNumber, view.getBigUint64(PR_REG + index * 8, true));
    }
  }
  return {
    bits: 64,
    cfa: undefined,
    register: (number) => registers.get(number),
    readMemory: (address, length) => readSegments(files, address, length),
  };
}

function readSegments(files: readonly ElfFile[], address: bigint, length: number): Uint8Array | undefined {
  for (const file of files) {
    for (const header of file.programHeaders) {
      const offset = address - header.virtualAddress;
      if (header.type === PT.LOAD && offset >= 0n && offset + BigInt(length) <= BigInt(header.fileSize)) {
        return file.bytes.slice(header.offset + Number(offset), header.offset + Number(offset) + length);
      }
    }
  }
  return undefined;
}
