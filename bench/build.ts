/** Builds the guest programs with the machine's own gcc. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bigGuestSource } from './bigGuest.js';
import type { GuestWidth, Row } from './rows.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const guests = join(root, 'bench/guests');
const includes = join(root, 'hypervisors/include');

const MEBIBYTE = 2 ** 20;

/** What every peer boots: a multiboot image in RAM of `memorySize` bytes. */
export interface BootProgram {
  /** Name of the file, in `folder`. */
  readonly path: string;
  readonly image: Uint8Array;
  readonly memorySize: number;
  readonly commandLine: string;
  readonly modules: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

const COMPILE = [
  '-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter', '-ffreestanding', '-fno-builtin',
  '-fno-pic', '-no-pie', '-fno-stack-protector', '-fcf-protection=none', '-fno-asynchronous-unwind-tables',
  '-fno-tree-loop-distribute-patterns', '-fno-strict-aliasing', '-mgeneral-regs-only', '-mno-red-zone', '-nostdlib', '-static',
  '-Wl,--build-id=none', '-Wl,--no-warn-rwx-segments', '-Wl,-z,noexecstack', '-Wl,-z,max-page-size=0x1000',
]; // prettier-ignore

/** Compiles and links; throws when the compiler refuses. */
function gcc(
  output: string,
  width: GuestWidth,
  script: string,
  sources: readonly string[],
  flat: boolean,
): void {
  const model = width === 64 ? ['-m64', '-mcmodel=small'] : ['-m32', '-march=i686'];
  const format = flat ? ['-Wl,--oformat=binary'] : [];
  execFileSync(
    'gcc',
    [...COMPILE, ...model, ...format, `-I${guests}`, `-I${includes}`, `-Wl,-T,${join(guests, script)}`, '-o', output, ...sources],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  ); // prettier-ignore
}

/** The program of a row, built in `folder`. */
export function buildRow(row: Row, width: GuestWidth, folder: string): BootProgram {
  if (row.underKvm) return underKvm(row, folder);
  const path = join(folder, `${row.name}-${width}.bin`);
  gcc(
    path,
    width,
    'guest.lds',
    [join(guests, 'boot.S'), join(guests, 'main.c'), join(guests, 'gates.c'), sourceOf(row, folder)],
    true,
  );
  return { path, image: readFileSync(path), memorySize: 64 * MEBIBYTE, commandLine: '', modules: [] };
}

/** The program of a row as an ELF guest of hypervisors/kvm; answers its path. */
export function buildGuestElf(row: Row, folder: string): string {
  const source = sourceOf(row, folder);
  const guest = join(folder, `${row.name}.elf`);
  gcc(guest, 64, 'kvm-guest.lds', [join(guests, 'main.c'), source], false);
  return guest;
}

function sourceOf(row: Row, folder: string): string {
  mkdirSync(folder, { recursive: true });
  if (row.source !== 'big.c') return join(guests, row.source);
  const source = join(folder, row.source);
  writeFileSync(source, bigGuestSource());
  return source;
}

/** hypervisors/kvm with the program as its guest. */
function underKvm(row: Row, folder: string): BootProgram {
  const guest = buildGuestElf(row, folder);
  const path = join(folder, 'kvm.elf');
  execFileSync('make', ['-s', '-C', join(root, 'hypervisors/kvm'), `OUT=${path}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const guestMemory = 32 * MEBIBYTE;
  return {
    path,
    image: readFileSync(path),
    memorySize: guestMemory + 32 * MEBIBYTE,
    commandLine: `vcpus=1 mode=long memory=${guestMemory}`,
    modules: [{ name: guest, bytes: readFileSync(guest) }],
  };
}

/** The boot sector for peers that have only a BIOS. */
export function buildBootSector(folder: string): Uint8Array {
  const [object, path] = [join(folder, 'bochs-boot.o'), join(folder, 'bochs-boot.bin')];
  execFileSync('gcc', ['-m32', '-c', '-o', object, join(guests, 'bochs-boot.S')]);
  execFileSync('ld', ['-m', 'elf_i386', '-Ttext=0x7c00', '--oformat=binary', '-o', path, object]);
  return readFileSync(path);
}
