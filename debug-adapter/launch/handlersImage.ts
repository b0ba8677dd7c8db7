/** The user's own hypercall handlers: built for a slot of the host, checked, put into the machine. */
import type { Machine } from '../../emulator/machine/machineTypes.js';
import { compileHandlers } from '../../toolchain/compilers/compileHandlers.js';
import { DebugInfo } from '../../toolchain/debuginfo/debugInfo.js';
import { sizeOf, stripped } from '../../toolchain/debuginfo/types.js';
import type { Diagnostic } from '../../toolchain/diagnostic.js';
import { PT } from '../../toolchain/elf/constants.js';
import type { ElfFile } from '../../toolchain/elf/elfFile.js';
import type { Platform } from '../../toolchain/platform.js';
import { cString, initialBytes, physicalAddress, wordAt } from './elfBytes.js';
import {
  HANDLER_SLOT_SIZE,
  HANDLER_SLOTS,
  HandlersOffset,
  HANDLERS_SIZE,
  HOST_SYMBOL,
  HOST_SIZE,
  HostOffset,
  HYPERCALL_SIZE,
  HypercallOffset,
} from './hostContract.js';

/** One registration line of a handlers file. */
export interface OwnHypercall {
  readonly nr: bigint;
  readonly name: string;
  readonly handler: bigint;
  readonly file: string;
  readonly line: number;
}

/** A built image and where it belongs. */
export interface HandlersImage {
  readonly file: string;
  readonly slot: number;
  readonly debugInfo: DebugInfo;
  readonly table: bigint;
  readonly hypercalls: readonly OwnHypercall[];
  readonly warnings: readonly Diagnostic[];
}

/** Where a host takes handlers: virtual addresses of its mailbox and of slot 0. */
export interface HandlersMailbox {
  readonly mailbox: bigint;
  readonly slots: bigint;
}

/** The mailbox of a host, from its ELF file; undefined when the host takes no handlers. */
export function findMailbox(host: DebugInfo): HandlersMailbox | undefined {
  const symbol = host.symbolNamed(HOST_SYMBOL);
  const structure = symbol && initialBytes(host.elf, symbol.address, HOST_SIZE);
  const mailbox = structure ? wordAt(structure, HostOffset.handlers) : 0n;
  if (mailbox === 0n) return undefined;
  const handlers = initialBytes(host.elf, mailbox, HANDLERS_SIZE);
  const slots = handlers ? wordAt(handlers, HandlersOffset.slots) : 0n;
  return slots === 0n ? undefined : { mailbox, slots };
}

export interface BuildHandlersOptions {
  readonly file: string;
  readonly host: DebugInfo;
  readonly hostElfPath: string;
  readonly slot: number;
  readonly includeFolders: readonly string[];
  readonly platform: Platform;
}

/** Compiles and links a handlers file for a slot; duplicate and built-in numbers are errors at their line. */
export async function buildHandlers(
  options: BuildHandlersOptions,
): Promise<HandlersImage | { readonly diagnostics: readonly Diagnostic[] }> {
  const { host, hostElfPath, slot, includeFolders, platform } = options;
  const file = platform.resolvePath(options.file);
  const mailbox = findMailbox(host);
  if (!mailbox) return { diagnostics: [errorAtLine(file, 1, `the host ${host.fileName} takes no handlers`)] };
  const linkAddress = mailbox.slots + BigInt(slot * HANDLER_SLOT_SIZE);
  const { elf, diagnostics } = await compileHandlers({
    file,
    hostElfPath,
    linkAddress,
    includeFolders,
    platform,
  });
  if (!elf) return { diagnostics };
  const debugInfo = DebugInfo.load(elf, file);
  const section = debugInfo.elf.section('.hypercalls');
  const hypercalls = section ? readTable(debugInfo.elf, section.address, Number(section.size)) : [];
  const errors = [...checkSize(debugInfo.elf, file, linkAddress), ...checkNumbers(file, hypercalls, host)];
  if (errors.length > 0) return { diagnostics: [...diagnostics, ...errors] };
  return { file, slot, debugInfo, table: section?.address ?? 0n, hypercalls, warnings: diagnostics };
}

function readTable(elf: ElfFile, address: bigint, size: number): OwnHypercall[] {
  const table: OwnHypercall[] = [];
  for (let at = 0; at + HYPERCALL_SIZE <= size; at += HYPERCALL_SIZE) {
    const entry = initialBytes(elf, address + BigInt(at), HYPERCALL_SIZE)!;
    table.push({
      nr: wordAt(entry, HypercallOffset.nr),
      name: cString(elf, wordAt(entry, HypercallOffset.name)),
      handler: wordAt(entry, HypercallOffset.handler),
      file: cString(elf, wordAt(entry, HypercallOffset.file)),
      line: Number(wordAt(entry, HypercallOffset.line)),
    });
  }
  return table;
}

function checkSize(elf: ElfFile, file: string, linkAddress: bigint): Diagnostic[] {
  const loaded = elf.programHeaders.filter(({ type }) => type === PT.LOAD);
  const end = loaded.reduce((most, header) => {
    const last = header.virtualAddress + header.memorySize;
    return last > most ? last : most;
  }, linkAddress);
  const size = Number(end - linkAddress);
  if (size <= HANDLER_SLOT_SIZE) return [];
  return [
    errorAtLine(file, 1, `the handlers take ${size} bytes; a slot of the host has ${HANDLER_SLOT_SIZE}`),
  ];
}

function checkNumbers(file: string, hypercalls: readonly OwnHypercall[], host: DebugInfo): Diagnostic[] {
  const errors: Diagnostic[] = [];
  const builtIn = builtInHypercalls(host);
  const seen = new Map<bigint, OwnHypercall>();
  if (hypercalls.length === 0) {
    errors.push(errorAtLine(file, 1, 'no HYPERCALL(number, name, function) line registers a handler'));
  }
  for (const call of hypercalls) {
    const first = seen.get(call.nr);
    if (first) {
      const message = `hypercall ${call.nr} is registered twice: "${first.name}" at line ${first.line} has it already`;
      errors.push(errorAtLine(call.file, call.line, message));
    } else if (builtIn.has(call.nr)) {
      errors.push(
        errorAtLine(
          file,
          call.line,
          `hypercall ${call.nr} is answered by the host itself: choose another number`,
        ),
      );
    }
    seen.set(call.nr, first ?? call);
  }
  return errors;
}

/** Numbers that the host answers itself: member `nr` of its array `kvm_hypercalls`, where it has one. */
function builtInHypercalls(host: DebugInfo): ReadonlySet<bigint> {
  const symbol = host.symbolNamed('kvm_hypercalls');
  const type = stripped(host.globalNamed('kvm_hypercalls')?.type ?? { kind: 'void' });
  if (!symbol || type.kind !== 'array') return new Set();
  const element = stripped(type.element);
  const member = element.kind === 'struct' ? element.members.find(({ name }) => name === 'nr') : undefined;
  const size = sizeOf(element);
  if (!member || !size) return new Set();
  const bytes = initialBytes(host.elf, symbol.address, Number(symbol.size)) ?? new Uint8Array();
  const numbers = new Set<bigint>();
  for (let at = 0; at + size <= bytes.length; at += size) numbers.add(wordAt(bytes, at + member.byteOffset));
  return numbers;
}

function errorAtLine(file: string, line: number, message: string): Diagnostic {
  return { severity: 'error', file, line, column: 1, endColumn: 1000, message };
}

// ---------------------------------------------------------------- into the machine

/** Writes to the host's memory: by program headers before it has page tables, through them later. */
type HostWriter = (address: bigint, bytes: Uint8Array) => void;

/** The writer for a machine that has not started its host yet. */
export function physicalWriter(machine: Machine, host: DebugInfo): HostWriter {
  return (address, bytes) => {
    const physical = physicalAddress(host.elf, address);
    if (physical === undefined) throw new Error(`0x${address.toString(16)} is not in the host's image`);
    machine.writePhysical(physical, bytes);
  };
}

/** Copies the image into its slot and tells the host through the mailbox. */
export function installHandlers(
  image: HandlersImage,
  mailbox: HandlersMailbox,
  generation: bigint,
  write: HostWriter,
): void {
  for (const header of image.debugInfo.elf.programHeaders) {
    if (header.type !== PT.LOAD || header.memorySize === 0n) continue;
    const bytes = initialBytes(image.debugInfo.elf, header.virtualAddress, Number(header.memorySize))!;
    write(header.virtualAddress, bytes);
  }
  const word = (offset: number, value: bigint): void => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    write(mailbox.mailbox + BigInt(offset), bytes);
  };
  word(HandlersOffset.slot, BigInt(image.slot));
  word(HandlersOffset.table, image.table);
  word(HandlersOffset.count, BigInt(image.hypercalls.length));
  // Last: the host looks at it.
  word(HandlersOffset.generation, generation);
}

/** A slot in which no thread is and which is not the current one; undefined when all are busy. */
export function freeSlot(handlers: Uint8Array): number | undefined {
  const current = Number(BigInt.asIntN(64, wordAt(handlers, HandlersOffset.currentSlot)));
  for (let slot = 0; slot < HANDLER_SLOTS; slot++) {
    if (slot !== current && wordAt(handlers, HandlersOffset.users + slot * 8) === 0n) return slot;
  }
  return undefined;
}
