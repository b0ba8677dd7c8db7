import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { DebugInfo } from '../debuginfo/debugInfo.js';
import { readFrameEntries } from '../dwarf/callFrames.js';
import type { FrameEntry } from '../dwarf/callFrames.js';
import { unwindRow } from '../dwarf/unwindTable.js';
import type { CfaRule, RegisterRule } from '../dwarf/unwindTable.js';
import { ElfFile } from '../elf/elfFile.js';
import { BuildDirectory, buildVariants, lacksTools, readBytes, run } from './debuginfo/builds.js';

/** DWARF numbers of x86-64 as readelf names them (psABI figure 3.36); `ra` is the return address column. */
const REGISTER_NAMES: readonly string[] =
  'rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 ra'.split(' ');

describe('DWARF against binutils', function () {
  if (lacksTools('addr2line', 'readelf', 'gcc')) {
    return;
  }
  const directory = new BuildDirectory();
  after(() => directory.remove());

  // binutils 2.40 misreads the 64-bit format of version 5, and misses inlined calls next to type units.
  const readable = buildVariants().filter(({ options }) => !/-gdwarf64|-fdebug-types/.test(options.join()));
  for (const { name, compiler, options } of readable) {
    it(`addr2line -i gives the same places and inlined calls: ${name}`, () => {
      const program = directory.compile(compiler, name, options);
      const info = DebugInfo.load(readBytes(program), program);
      const addresses = codeAddresses(info);
      assert.ok(addresses.length > 50);
      const expected = addr2line(program, addresses);
      for (const address of addresses) {
        assert.deepEqual(placesAt(info, address), expected.get(address), `0x${address.toString(16)}`);
      }
    });
  }

  it('readelf interprets the frames of .eh_frame alike', () => {
    const program = directory.compile('gcc', 'eh', ['-g', '-O2', '-no-pie']);
    checkFrames(program);
  });

  it('readelf interprets the frames of .debug_frame alike', () => {
    const options = [
      '-g',
      '-O2',
      '-c',
      '-fno-asynchronous-unwind-tables',
      '-fno-exceptions',
      '-mno-red-zone',
    ];
    checkFrames(directory.compile('gcc', 'frame.o', options));
  });

  it('readelf interprets hand-written CFI alike', () => {
    checkFrames(directory.compile('gcc', 'cfi.o', ['-c', '-x', 'assembler'], assembly(directory)));
  });
});

/** Instructions that compilers seldom write: remember and restore, expressions, a register in a register, signal frames. */
function assembly(directory: BuildDirectory): string {
  const source = `
f: .cfi_startproc
   .cfi_signal_frame
   push %rbp
   .cfi_def_cfa_offset 16
   .cfi_offset %rbp, -16
   .cfi_remember_state
   mov %rsp, %rbp
   .cfi_def_cfa_register %rbp
   .cfi_undefined %rax
   .cfi_same_value %rbx
   .cfi_register %r12, %r13
   .cfi_val_offset %r14, -24
   .skip 300
   .cfi_restore %rbp
   .cfi_def_cfa %rsp, 8
   nop
   .cfi_restore_state
   .cfi_escape 0x10, 0x03, 0x02, 0x77, 0x08
   nop
   .cfi_escape 0x0f, 0x03, 0x77, 0x08, 0x06
   ret
   .cfi_endproc
`;
  const path = directory.file('cfi.s');
  writeFileSync(path, source);
  return path;
}

function codeAddresses(info: DebugInfo): bigint[] {
  const addresses = new Set<bigint>();
  for (const { ranges } of info.allFunctions().filter(({ location }) => location !== undefined)) {
    for (const { low, high } of ranges) {
      for (let address = low; address < high; address += 3n) {
        addresses.add(address);
      }
    }
  }
  return [...addresses];
}

/** `function file:line` of each frame at an address, innermost first. */
function placesAt(info: DebugInfo, address: bigint): string[] {
  const inlined = info.inlineFramesAt(address);
  const names = [...inlined.map(({ name }) => name), info.functionAt(address)!.name];
  const row = info.lineAt(address);
  const places = [row, ...inlined.map(({ call }) => call)];
  return names.map((name, index) => {
    const place = places[index];
    return `${name} ${place?.file}:${place?.line === 0 ? '?' : place?.line}`;
  });
}

function addr2line(program: string, addresses: readonly bigint[]): Map<bigint, string[]> {
  const input = addresses.map((address) => `0x${address.toString(16)}\n`).join('');
  const lines = run('addr2line', ['-a', '-f', '-i', '-e', program], input).trim().split('\n');
  const result = new Map<bigint, string[]>();
  let places: string[] = [];
  for (let index = 0; index < lines.length;) {
    if (lines[index].startsWith('0x')) {
      places = [];
      result.set(BigInt(lines[index++]), places);
    } else {
      const place = lines[index + 1].replace(/ \(discriminator \d+\)$/, '');
      places.push(`${lines[index]} ${place}`);
      index += 2;
    }
  }
  return result;
}

function checkFrames(program: string): void {
  const entries = readFrameEntries(new ElfFile(readBytes(program)));
  const dump = run('readelf', ['--debug-dump=frames-interp', '-W', program]);
  let columns: string[] = [];
  let entry: FrameEntry | undefined;
  let rows = 0;
  for (const line of dump.split('\n')) {
    const range = /FDE cie=\w+ pc=(\w+)\.\.(\w+)/.exec(line);
    if (range !== null) {
      entry = entries.find(
        ({ low, high }) => low === BigInt(`0x${range[1]}`) && high === BigInt(`0x${range[2]}`),
      );
      assert.ok(entry, line);
    } else if (/ CIE /.test(line)) {
      entry = undefined;
    } else if (/^\s+LOC/.test(line)) {
      columns = line.trim().split(/\s+/).slice(1);
    } else if (entry !== undefined && /^[0-9a-f]{8,16} (?!ZERO)/.test(line)) {
      const [location, ...expected] = line
        .replaceAll(/ \(\w+\)/g, '')
        .trim()
        .split(/\s+/);
      const row = unwindRow(entry, BigInt(`0x${location}`));
      const actual = columns.map((column) =>
        column === 'CFA' ? cfaText(row.cfa) : ruleText(row.registers.get(REGISTER_NAMES.indexOf(column))),
      );
      assert.deepEqual(actual, expected, `${program} ${line}`);
      rows++;
    }
  }
  assert.ok(rows > 3, 'readelf shows no rows');
}

function cfaText(rule: CfaRule): string {
  return rule.kind === 'register' ? `${REGISTER_NAMES[rule.register]}${signed(rule.offset)}` : 'exp';
}

function ruleText(rule: RegisterRule | undefined): string {
  switch (rule?.kind) {
    case undefined:
    case 'undefined':
      return 'u';
    case 'sameValue':
      return 's';
    case 'offset':
      return `c${signed(rule.offset)}`;
    case 'valueOffset':
      return `v${signed(rule.offset)}`;
    case 'register':
      return REGISTER_NAMES[rule.register];
    case 'expression':
      return 'exp';
    case 'valueExpression':
      return 'vexp';
  }
}

function signed(offset: bigint): string {
  return offset < 0n ? offset.toString() : `+${offset}`;
}
