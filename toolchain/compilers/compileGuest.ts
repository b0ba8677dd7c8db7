import { ElfFile } from '../elf/elfFile.js';
import { SHN } from '../elf/constants.js';
import type { Platform } from '../platform.js';
import { compileObject, errorAt, linkObjects } from './compileTools.js';
import { defaultScript } from '../linker/defaultScript.js';
import type { CompileResult } from './compileTools.js';
import { findCompiler, noCompilerMessage } from './findCompiler.js';
import type { Compiler } from './findCompiler.js';

export interface CompileGuestOptions {
  /** Absolute name of the C file. */
  readonly file: string;
  readonly bits: 32 | 64;
  readonly includeFolders: readonly string[];
  readonly platform: Platform;
  /** 0x100000 when left out. */
  readonly textAddress?: bigint;
}

const DEFAULT_TEXT_ADDRESS = 0x100000n;

/**
 * Where a C program without `_start` starts: it calls main and ends the run by port 0xf4 with the low byte of the
 * result (QEMU's isa-debug-exit).
 */
const CRT0 = `
	.globl _start
	.type _start, @function
_start:
	xor %ebp, %ebp
	call main
	outb %al, $0xf4
1:	hlt
	jmp 1b
	.size _start, . - _start
`;

/** Compiles one C file to a static executable that starts at `_start`, or at our own `_start` when it has only `main`. */
export async function compileGuest(options: CompileGuestOptions): Promise<CompileResult> {
  const { file, platform } = options;
  const compiler = await findCompiler(platform);
  if (!compiler) return { elf: undefined, diagnostics: [errorAt(file, noCompilerMessage(platform))] };
  return platform.withTemporaryFolder((folder) => compileIn(folder, compiler, options));
}

async function compileIn(
  folder: string,
  compiler: Compiler,
  options: CompileGuestOptions,
): Promise<CompileResult> {
  const { file, bits, includeFolders, platform, textAddress = DEFAULT_TEXT_ADDRESS } = options;
  const object = platform.resolvePath(folder, 'guest.o');
  const compiled = await compileObject(platform, compiler, { file, object, bits, includeFolders });
  if (compiled.failed) return { elf: undefined, diagnostics: compiled.diagnostics };

  const objects = [object];
  const names = definedNames((await platform.readFile(object))!);
  if (!names.has('_start')) {
    if (!names.has('main')) {
      const message = "no '_start' and no 'main': a guest in C defines one of them";
      return { elf: undefined, diagnostics: [...compiled.diagnostics, errorAt(file, message)] };
    }
    const source = platform.resolvePath(folder, 'crt0.S');
    const start = platform.resolvePath(folder, 'crt0.o');
    await platform.writeFile(source, CRT0);
    const assembled = await compileObject(platform, compiler, {
      file,
      source,
      object: start,
      bits,
      includeFolders,
    });
    if (assembled.failed) return { elf: undefined, diagnostics: assembled.diagnostics };
    objects.push(start);
  }
  const script = defaultScript(textAddress, '_start');
  const linked = await linkObjects(platform, { file, script, objects });
  return { elf: linked.elf, diagnostics: [...compiled.diagnostics, ...linked.diagnostics] };
}

function definedNames(object: Uint8Array): Set<string> {
  const symbols = new ElfFile(object).symbols;
  return new Set(symbols.filter(({ sectionIndex }) => sectionIndex !== SHN.UNDEF).map(({ name }) => name));
}
